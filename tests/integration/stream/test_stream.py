"""The stream as a process of its own, on a real broker."""

from tests.integration.stream.world import StreamWorld, texts
from tests.stream_process import Manner


def test_every_memory_gets_its_fact(stream: StreamWorld) -> None:
    stream.add(texts(300))
    worker = stream.start()
    stream.settle()
    worker.until_ready()
    assert worker.end() == 0
    stream.check()
    assert stream.redone == 0
