"""Calls that are gathered give what each would give alone, whatever else goes wrong."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hybrid_memory.index.embedder import Embedder, Matrix
from hybrid_memory.index.gathered import GatheredEmbedder
from hybrid_memory.index.hashing import HashEmbedder


class Slow(Embedder):
    """Notes each call, and does not answer the first before it is let go."""

    def __init__(self) -> None:
        self._inner = HashEmbedder(16)
        self.name, self.dimensions = self._inner.name, self._inner.dimensions
        self.calls: list[int] = []
        self.begun, self.go = threading.Event(), threading.Event()

    def embed(self, texts: Sequence[str]) -> Matrix:
        self.calls.append(len(texts))
        self.begun.set()
        assert self.go.wait(20)
        if "bad" in texts:
            raise ValueError("a bad text")
        return self._inner.embed(texts)


def waiting(embedder: GatheredEmbedder, count: int) -> None:
    for _ in range(2000):
        if len(embedder._waiting) >= count:
            return
        threading.Event().wait(0.005)
    raise AssertionError(f"{len(embedder._waiting)} calls wait, not {count}")


def test_what_comes_while_one_is_embedded_goes_together_and_in_order() -> None:
    slow = Slow()
    gathered = GatheredEmbedder(slow)
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(gathered.embed, ["first"])
        assert slow.begun.wait(20)
        rest = [pool.submit(gathered.embed, [f"text {n}", f"more {n}"]) for n in range(15)]
        waiting(gathered, 15)
        slow.go.set()
        plain = HashEmbedder(16)
        np.testing.assert_array_equal(first.result(20), plain.embed(["first"]))
        for n, future in enumerate(rest):
            np.testing.assert_array_equal(future.result(20), plain.embed([f"text {n}", f"more {n}"]))
    assert slow.calls == [1, 30]


def test_a_bad_text_fails_its_own_call_alone() -> None:
    slow = Slow()
    gathered = GatheredEmbedder(slow)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(gathered.embed, ["first"])
        assert slow.begun.wait(20)
        good = [pool.submit(gathered.embed, [f"text {n}"]) for n in range(3)]
        bad = pool.submit(gathered.embed, ["fine", "bad"])
        waiting(gathered, 4)
        slow.go.set()
        for future in (first, *good):
            assert future.result(20).shape == (1, 16)
        with pytest.raises(ValueError, match="a bad text"):
            bad.result(20)


def test_a_batch_does_not_grow_without_bound() -> None:
    slow = Slow()
    gathered = GatheredEmbedder(slow, most=4)
    with ThreadPoolExecutor(16) as pool:
        first = pool.submit(gathered.embed, ["first"])
        assert slow.begun.wait(20)
        rest = [pool.submit(gathered.embed, [f"text {n}"]) for n in range(9)]
        waiting(gathered, 9)
        slow.go.set()
        for future in (first, *rest):
            future.result(20)
    assert max(slow.calls) <= 4
    assert sum(slow.calls) == 10


def test_many_threads_at_once() -> None:
    gathered, plain = GatheredEmbedder(HashEmbedder(16)), HashEmbedder(16)
    texts = [f"text {n}" for n in range(200)]
    with ThreadPoolExecutor(32) as pool:
        for text, found in zip(texts, pool.map(lambda text: gathered.embed([text]), texts), strict=True):
            np.testing.assert_array_equal(found, plain.embed([text]))
