"""Which token comes next: the most likely one of all, until a token that ends the answer."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_BLOCK = 128


class Picker(ABC):
    """Picks the next token of every row that is still being answered. Holds what it must know of each."""

    @abstractmethod
    def start(self, rows: int) -> None:
        """Forget all rows; this many begin."""

    @abstractmethod
    def pick(self, hidden: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
        """From each row's last hidden state: its next token, and whether that token ends the answer."""

    @abstractmethod
    def move(self, source: "torch.Tensor", target: "torch.Tensor", rows: int) -> None:
        """Rows `source` now stand where `target` were; only the first `rows` are left."""


class FreePicker(Picker):
    """Any token of the vocabulary."""

    def __init__(self, model: Any, ends: Collection[int]) -> None:
        import torch

        self._head = model.lm_head
        self._ends = torch.tensor(sorted(ends), dtype=torch.long, device=model.device)

    def start(self, *_: Any, **__: Any) -> None:
        return

    def pick(self, hidden: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
        tokens = likeliest(self._head(hidden))
        return tokens, (tokens[:, None] == self._ends).any(dim=1)

    def move(self, *_: Any, **__: Any) -> None:
        return


def likeliest(scores: "torch.Tensor") -> "torch.Tensor":
    """The first of the highest scores of each row, as `argmax(-1)`.

    By maxima of blocks: on a processor `argmax` of 151,936 columns takes several times as long.
    """
    import torch

    rows, columns = scores.shape
    if columns % _BLOCK or scores.device.type != "cpu":
        return scores.argmax(dim=-1)
    blocks = scores.view(rows, -1, _BLOCK)
    best = blocks.amax(dim=-1).argmax(dim=-1)
    within = blocks[torch.arange(rows), best].argmax(dim=-1)
    return best * _BLOCK + within
