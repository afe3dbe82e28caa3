"""A log in memory, as far as sending goes."""

from collections.abc import Callable
from concurrent.futures import Future

import pytest

from hybrid_memory.schemas import NewRecord, Position


class Log:
    """Takes what it is sent; settles at once, or when told. `fails` says what becomes of the n-th record."""

    def __init__(self) -> None:
        self.records: list[NewRecord] = []
        self.futures: list[Future[Position]] = []
        self.by_hand = False
        self.fails: Callable[[int], Exception | None] = lambda n: None
        self.raises: Callable[[int], Exception | None] = lambda n: None

    def send(self, record: NewRecord) -> "Future[Position]":
        number = len(self.records)
        self.records.append(record)
        future: Future[Position] = Future()
        self.futures.append(future)
        if error := self.raises(number):
            raise error
        if not self.by_hand:
            self.settle(number)
        return future

    def settle(self, number: int) -> None:
        if error := self.fails(number):
            self.futures[number].set_exception(error)
        else:
            self.futures[number].set_result(position(number))


def position(offset: int) -> Position:
    return Position(topic_id="log", partition=0, offset=offset)


@pytest.fixture
def log() -> Log:
    return Log()
