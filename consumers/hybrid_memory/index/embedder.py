"""The embedder port."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Matrix: TypeAlias = npt.NDArray[np.float32]


class Embedder(ABC):
    """Turns texts into unit vectors. Safe to call from several threads.

    `name` and `dimensions` are part of an index's identity: vectors of another embedder do not compare.
    """

    name: str
    dimensions: int

    @abstractmethod
    def embed(self, texts: Sequence[str]) -> Matrix:
        """One unit vector a text, of shape (len(texts), dimensions), in the order of the texts."""
