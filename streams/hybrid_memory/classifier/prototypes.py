"""How near a text is to each label, by the label's example sentences. Pure: vectors in, numbers out."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Matrix: TypeAlias = npt.NDArray[np.float32]

_ABSENT = -4.0
"""Added where a label has fewer examples than another: below any cosine."""


class Prototypes:
    """The examples of each label as unit vectors of one length. Safe to share between threads.

    near(label) = mean cosine of the text and the two nearest examples of the label
                  − the same mean of what is not of the label: the examples of the others; at least 0

    The second part is a constant of the label. Without it, labels whose examples are near to everything win too often.
    """

    def __init__(self, examples: Sequence[npt.ArrayLike]) -> None:
        """`examples` holds a matrix a label, a row an example; a label without any is near to nothing."""
        rows = [np.asarray(of_label, dtype=np.float32) for of_label in examples]
        self._has = np.array([len(of_label) > 0 for of_label in rows])
        if not self._has.any():
            raise ValueError("no label has an example")
        width = max(2, *(len(of_label) for of_label in rows))
        stack = np.zeros((len(rows), width, next(of_label.shape[1] for of_label in rows if len(of_label))), np.float32)
        self._absent = np.full((len(rows), width), _ABSENT, np.float32)
        for at, of_label in enumerate(rows):
            shown = of_label if len(of_label) != 1 else np.repeat(of_label, 2, axis=0)
            stack[at, : len(shown)] = shown if len(shown) else 0.0
            self._absent[at, : len(shown)] = 0.0
        self._matrix = np.ascontiguousarray(stack.reshape(-1, stack.shape[2]).T)
        self._background = self._of_others(rows)

    def near(self, vectors: npt.ArrayLike) -> Matrix:
        """Of unit vectors, a row a text: how near each is to each label, of shape (texts, labels).

        0 for what has nothing to do with a label, up to 0.8 for an example of it.
        """
        vectors = np.asarray(vectors, dtype=np.float32).reshape(-1, len(self._matrix))
        near: Matrix = np.where(self._has, np.maximum(self._two_nearest(vectors) - self._background, 0), np.float32(0))
        return near

    def _two_nearest(self, vectors: Matrix) -> Matrix:
        """The mean cosine of each text and the two nearest examples of each label."""
        cosines = (vectors @ self._matrix).reshape(len(vectors), *self._absent.shape) + self._absent
        mean: Matrix = np.partition(cosines, -2, axis=2)[:, :, -2:].mean(axis=2)
        return mean

    def _of_others(self, rows: Sequence[Matrix]) -> Matrix:
        """Of each label, that mean over the other labels' examples."""
        found = self._two_nearest(np.concatenate([of_label for of_label in rows if len(of_label)]))
        own = np.concatenate([np.full(len(of_label), at) for at, of_label in enumerate(rows)])
        foreign = own[:, None] != np.arange(len(rows))
        counts = foreign.sum(axis=0)
        background: Matrix = ((found * foreign).sum(axis=0) / np.maximum(counts, 1)).astype(np.float32)
        return background
