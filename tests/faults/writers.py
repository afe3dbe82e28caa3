"""Threads that publish, some over HTTP and some through the client, and try again until they are confirmed."""

import random
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import httpx

from hybrid_memory.client import MemoryClient, NotDelivered, SomeNotDelivered
from tests.faults.plan import Ledger, Step, rounds


class NotConfirmed(Exception):
    """It may or may not have been written: the same again."""


class Way(ABC):
    """One way to publish. Raises NotConfirmed."""

    @abstractmethod
    def send(self, steps: Sequence[Step]) -> list[int]:
        """Publish steps of different memories; the offset of each."""

    @abstractmethod
    def close(self) -> None: ...


class OverHttp(Way):
    """The API. Half of the calls wait until they are searchable."""

    def __init__(self, url: str, rng: random.Random) -> None:
        self._http = httpx.Client(base_url=url, timeout=30)
        self._rng = rng

    def send(self, steps: Sequence[Step]) -> list[int]:
        wait = {"wait": self._rng.choice(["true", "false"])}
        added = [step for step in steps if step.text is not None]
        offsets: dict[Step, int] = {}
        if len(added) > 1:
            reply = self._ask("POST", "/add_memories_batch", wait, {"memories": [_body(step) for step in added]})
            offsets |= {step: _offset(item) for step, item in zip(added, reply["results"], strict=True)}
        elif added:
            offsets[added[0]] = _offset(self._ask("POST", "/add_memory", wait, _body(added[0])))
        for step in (step for step in steps if step.text is None):
            path = f"/v1/users/{quote(step.key.user_id, safe='')}/memories/{quote(step.key.memory_id, safe='')}"
            offsets[step] = _offset(self._ask("DELETE", path, wait))
        return [offsets[step] for step in steps]

    def close(self) -> None:
        self._http.close()

    def _ask(self, method: str, path: str, query: dict[str, str], body: object = None) -> Any:
        try:
            reply = self._http.request(method, path, params=query, json=body)
        except httpx.TransportError as error:
            raise NotConfirmed(repr(error)) from error
        if reply.status_code == 503 and "retry-after" in reply.headers:
            raise NotConfirmed(reply.text)
        assert reply.status_code == 200, f"{method} {path}: {reply.status_code} {reply.text}"
        return reply.json()


class ThroughClient(Way):
    """The client of applications."""

    def __init__(self, client: MemoryClient) -> None:
        self._client = client

    def send(self, steps: Sequence[Step]) -> list[int]:
        added = [step for step in steps if step.text is not None]
        try:
            landed = self._client.add_many(_body(step) for step in added)
            offsets = {step: at.position.offset for step, at in zip(added, landed, strict=True)}
            for step in (step for step in steps if step.text is None):
                offsets[step] = self._client.delete(step.key.user_id, step.key.memory_id).offset
        except NotDelivered as error:
            raise self._again(error) from error
        except SomeNotDelivered as error:
            raise self._again(error.failed[0].error) from error
        return [offsets[step] for step in steps]

    def close(self) -> None:
        self._client.close()

    @staticmethod
    def _again(error: NotDelivered) -> Exception:
        # A broker that was killed is away, and no more: an application must not be told to give up.
        assert error.retriable, error
        return NotConfirmed(str(error))


class Writer(threading.Thread):
    """Publishes the lives of its own users: each memory has one writer, which waits before the next version."""

    def __init__(self, way: Way, lives: Sequence[deque[Step]], rng: random.Random, deadline: float) -> None:
        super().__init__(name=f"writer {type(way).__name__}", daemon=True)
        self.ledger = Ledger()
        self.confirmed = self.again = 0
        self.error: BaseException | None = None
        self._way, self._lives, self._rng, self._deadline = way, lives, rng, deadline

    def run(self) -> None:
        try:
            for steps in rounds(self._rng, self._lives):
                for step, offset in zip(steps, self._insist(steps), strict=True):
                    self.ledger.confirm(step, offset)
                self.confirmed += len(steps)
        except BaseException as error:
            self.error = error
        finally:
            self._way.close()

    def _insist(self, steps: Sequence[Step]) -> list[int]:
        while True:
            try:
                return self._way.send(steps)
            except NotConfirmed:
                self.again += 1
                if time.monotonic() > self._deadline:
                    raise
                time.sleep(0.1)


def _body(step: Step) -> dict[str, Any]:
    return {"user_id": step.key.user_id, "memory_id": step.key.memory_id, "text": step.text}


def _offset(reply: dict[str, Any]) -> int:
    return int(reply["position"].rpartition(":")[2])
