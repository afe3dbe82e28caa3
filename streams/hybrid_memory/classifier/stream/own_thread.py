"""A classifier in a thread of its own, so that all else that a batch needs happens while another is classified."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from hybrid_memory.classifier.port import Answer, Classifier, Maker


class InOwnThread(Classifier):
    """May be called from several threads; the classifier within is always called from one and the same."""

    def __init__(self, within: Classifier) -> None:
        self._within = within
        self._thread = ThreadPoolExecutor(1, "classifier")

    @property
    def maker(self) -> Maker:
        return self._within.maker

    @property
    def batch_size(self) -> int:
        return self._within.batch_size

    def classify(self, texts: Sequence[str]) -> list[Answer]:
        return self._thread.submit(self._within.classify, texts).result()

    def close(self) -> None:
        self._thread.shutdown()
        self._within.close()
