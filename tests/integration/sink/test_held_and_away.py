"""Kafka goes away at the worst moment: a batch has been read, and a held fact needs to know where the log ends."""

import pytest

from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.schemas import CLASSIFIED, encode_memory
from hybrid_memory.sink.reader import LogReader
from tests.integration.sink.test_sink import fact, memory
from tests.integration.sink.world import World


def test_no_record_that_was_read_is_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Only the broker can be away at so exact a moment by chance; here its answer is taken away three times.
    real, away = LogReader.end, iter(range(3))

    def end(self: LogReader, place: tuple[str, int]) -> int:
        for _ in away:
            raise Unavailable("away")
        return real(self, place)

    monkeypatch.setattr(LogReader, "end", end)
    [at] = world.send(encode_memory(memory("I love sushi")))
    impossible = at.model_copy(update={"offset": at.offset + 1000})
    world.send(fact(world, memory("I love sushi"), impossible, "beyond the log"))
    with world.sink() as sink:
        sink.settle()
        shown = sink.point("m").memory
    assert shown is not None
    assert shown.text == "I love sushi"
    assert next(away, None) is None, "it was never asked for"
    assert len(world.read(f"dlq.{CLASSIFIED}")) == 1
