"""The answers that are still being written: the rows of a batch, closed up as some of them end."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hybrid_memory.classifier.qwen.picking import Picker
from hybrid_memory.classifier.qwen.rows import Layout, Rows

if TYPE_CHECKING:
    import torch

_NOTHING = -1


class OpenAnswers:
    """Which text each row answers, how far it is, and what has been written.

    Where a row ends, the last one moves up.
    """

    def __init__(
        self, rows: Rows, picker: Picker, lengths: Sequence[int], limits: Sequence[int], device: "torch.device"
    ) -> None:
        import torch

        self._rows, self._picker, self._limits = rows, picker, limits
        self._text = torch.arange(len(lengths), device=device)
        self._column = torch.tensor(lengths, device=device)
        self._left = torch.tensor(limits, device=device)
        self._ended = torch.zeros_like(self._text, dtype=torch.bool)
        self._width = max(lengths)
        self._step = 0
        self._written = torch.full((len(lengths), max(limits)), _NOTHING, device=device)
        self.last = torch.zeros_like(self._text)
        """The token of each row that is to be read next."""
        picker.start(len(lengths))

    def take(self, hidden: "torch.Tensor") -> None:
        """Write down each row's next token."""
        self.last, ended = self._picker.pick(hidden)
        self._written[self._text, self._step] = self.last.masked_fill(ended, _NOTHING)
        self._step += 1
        self._left -= 1
        self._ended |= ended | (self._left <= 0)

    def close_ended(self) -> bool:
        """Close up the rows whose answers have ended; false where none is left."""
        ended = self._ended.nonzero().squeeze(1)
        if not len(ended):
            return True
        left = len(self._ended) - len(ended)
        target = ended[ended < left]
        source = (~self._ended[left:]).nonzero().squeeze(1) + left
        self._rows.move(source, target)
        self._picker.move(source, target, left)
        for name in ("_text", "_column", "_left", "_ended", "last"):
            held = getattr(self, name)
            held[target] = held[source]
            setattr(self, name, held[:left])
        if left:
            self._width = int(self._column.max())
        return left > 0

    def place_last(self) -> tuple[Layout, "torch.Tensor"]:
        """Where the last token of each row goes as it is read, and its position with the prefix counted."""
        self._width += 1
        layout = self._rows.writing(self._column, self._width)
        position = self._rows.prefix.length + self._column
        self._column = self._column + 1
        return layout, position

    def written(self) -> list[list[int]]:
        """Each text's answer, without what ended it."""
        lines = zip(self._written.tolist(), self._limits, strict=True)
        return [_until_nothing(line[:limit]) for line, limit in lines]


def _until_nothing(line: list[int]) -> list[int]:
    return line[: line.index(_NOTHING)] if _NOTHING in line else line
