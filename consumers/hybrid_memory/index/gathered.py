"""Calls that come together are embedded together: a batch of many short texts costs far less than each alone."""

from collections.abc import Sequence
from threading import Lock

from hybrid_memory.index.embedder import Embedder, Matrix


class _Call:
    """One call that waits. `vectors` or `error` is set by whoever embeds it."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.vectors: Matrix | None = None
        self.error: Exception | None = None

    @property
    def done(self) -> bool:
        return self.vectors is not None or self.error is not None


class GatheredEmbedder(Embedder):
    """Another embedder, asked by one thread at a time, who takes along all that came while the last one was at it.

    Nothing is waited for: a call that comes alone is embedded at once. A call fails for its own texts only.
    """

    def __init__(self, embedder: Embedder, most: int = 256) -> None:
        self.name, self.dimensions = embedder.name, embedder.dimensions
        self._embedder, self._most = embedder, most
        self._embedding, self._changing = Lock(), Lock()
        self._waiting: list[_Call] = []

    def embed(self, texts: Sequence[str]) -> Matrix:
        call = _Call(texts)
        with self._changing:
            self._waiting.append(call)
        while not call.done:
            with self._embedding:
                if not call.done:
                    self._embed_together(self._next(call))
        if call.error is not None:
            raise call.error
        assert call.vectors is not None
        return call.vectors

    def _next(self, own: _Call) -> list[_Call]:
        """The next calls, in their order, and our own in any case; all others stay."""
        with self._changing:
            taken, texts = [own], len(own.texts)
            for call in self._waiting:
                if call is not own and texts + len(call.texts) <= self._most:
                    taken.append(call)
                    texts += len(call.texts)
            self._waiting = [call for call in self._waiting if call not in taken]
            return taken

    def _embed_together(self, calls: Sequence[_Call]) -> None:
        try:
            vectors = self._embedder.embed([text for call in calls for text in call.texts])
        except Exception as error:
            if len(calls) == 1:
                calls[0].error = error
            else:
                for call in calls:
                    self._embed_together([call])
            return
        first = 0
        for call in calls:
            call.vectors = vectors[first : first + len(call.texts)]
            first += len(call.texts)
