"""What the rows of a batch hold while they are answered: keys and values, and where new tokens go."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Prefix:
    """Keys and values of what stands before every text: (layers, groups, tokens, width) each. May be empty."""

    keys: "torch.Tensor"
    values: "torch.Tensor"

    @property
    def length(self) -> int:
        return self.keys.shape[2]

    def of(self, layer: int) -> tuple["torch.Tensor", "torch.Tensor"]:
        return self.keys[layer], self.values[layer]


class Rows:
    """Keys and values of each row's own tokens, with room for all that will come; nothing is copied as rows grow."""

    def __init__(self, prefix: Prefix, rows: int, room: int) -> None:
        layers, groups, _, width = prefix.keys.shape
        self.prefix = prefix
        # Zeros: a masked place must not hold what is no number.
        self._keys = prefix.keys.new_zeros((layers, rows, groups, room, width))
        self._values = prefix.keys.new_zeros((layers, rows, groups, room, width))

    def reading(self, sizes: "torch.Tensor", first: int) -> tuple["Layout", "torch.Tensor"]:
        """Rows from `first` on read as many tokens as `sizes` says, in one line, row after row.

        Their layout, and each token's place in its row.
        """
        import torch

        columns = torch.arange(int(sizes.max()), device=sizes.device)
        is_token = columns < sizes[:, None]
        starts = sizes.cumsum(0) - sizes
        # A row that is shorter than the longest repeats its last token; no token of its own looks at those.
        side = starts[:, None] + torch.minimum(columns, sizes[:, None] - 1)
        line = is_token.flatten().nonzero().squeeze(1)
        mask = _mask(columns <= columns[:, None], self._keys.dtype)
        layout = Layout(self, slice(first, first + len(sizes)), slice(0, len(columns)), mask, side, line)
        return layout, columns.expand(is_token.shape)[is_token]

    def writing(self, columns: "torch.Tensor", width: int) -> "Layout":
        """Each row has one new token, at its place in `columns`; all places are below `width`."""
        import torch

        places = torch.arange(width, device=columns.device)
        mask = _mask(places <= columns[:, None], self._keys.dtype)[:, None, None, None]
        return Layout(self, slice(0, len(columns)), columns, mask, width=width)

    def move(self, source: "torch.Tensor", target: "torch.Tensor") -> None:
        """Put the rows `source` where the rows `target` were."""
        for held in (self._keys, self._values):
            held[:, target] = held[:, source]

    def store(self, layer: int, rows: slice) -> tuple["torch.Tensor", "torch.Tensor"]:
        """Keys and values of some rows, to read and to write: (rows, groups, room, width)."""
        return self._keys[layer, rows], self._values[layer, rows]

    def as_prefix(self) -> Prefix:
        """The first row, whole, as the prefix of others."""
        return Prefix(self._keys[:, 0], self._values[:, 0])


@dataclass(frozen=True, slots=True)
class Layout:
    """Which tokens a forward pass brings: how they lie in line, side by side, and where their keys are kept."""

    rows: Rows
    which: slice
    columns: "slice | torch.Tensor"
    mask: "torch.Tensor"
    side: "torch.Tensor | None" = None
    """For each place side by side, the token in line; without it, each row brings one token."""
    line: "torch.Tensor | None" = None
    width: int | None = None

    def side_by_side(self, tokens: "torch.Tensor") -> "torch.Tensor":
        """(tokens, …) as (rows, columns, …)."""
        return tokens[:, None] if self.side is None else tokens[self.side]

    def in_line(self, tokens: "torch.Tensor") -> "torch.Tensor":
        """(rows, columns, …) as (tokens, …)."""
        flat = tokens.flatten(0, 1)
        return flat if self.line is None else flat[self.line]

    def keep(self, layer: int, keys: "torch.Tensor", values: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
        """Keep these tokens; all keys and values that their rows may look at, as (rows, groups, places, width)."""
        import torch

        held = self.rows.store(layer, self.which)
        for store, new in zip(held, (keys, values), strict=True):
            if isinstance(self.columns, slice):
                store[:, :, self.columns] = self.side_by_side(new).transpose(1, 2)
            else:
                store[torch.arange(len(new), device=new.device), :, self.columns] = new
        width = self.columns if isinstance(self.columns, slice) else slice(0, self.width)
        return held[0][:, :, width], held[1][:, :, width]


def _mask(allowed: "torch.Tensor", dtype: "torch.dtype") -> "torch.Tensor":
    """What is added to scores: nothing where it is allowed to look."""
    import torch

    return torch.zeros(allowed.shape, dtype=dtype, device=allowed.device).masked_fill_(~allowed, float("-inf"))
