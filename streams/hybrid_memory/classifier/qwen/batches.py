"""How many texts are answered at once: as many as suit the hardware and fit into its memory."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

_T = TypeVar("_T")

_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


class Budget:
    """At most so many texts in a batch, and so many tokens with room for answers. Memory that ran out is remembered."""

    def __init__(self, texts: int, tokens: int) -> None:
        self.texts, self.tokens = texts, tokens

    def halve(self, lengths: Sequence[int]) -> None:
        """A batch of these lengths was too much: from now on half of it at most."""
        self.texts = max(1, min(self.texts, len(lengths) // 2))
        self.tokens = max(1, min(self.tokens, len(lengths) * max(lengths) // 2))

    def cut(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Which texts go together: near lengths, the longest first, in batches as even as may be."""
        order = sorted(range(len(lengths)), key=lambda at: -lengths[at])
        even = -(-len(order) // -(-len(order) // self.texts)) if order else 0
        while order:
            most = max(1, min(even, self.tokens // max(1, lengths[order[0]])))
            yield order[:most]
            order = order[most:]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a batch was too much for the memory; smaller ones may fit."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _OUT_OF_MEMORY)


def free_memory(device: Any) -> None:
    """Give back what the allocator still holds after a batch that was too much."""
    import torch

    if device.type == "cuda":
        torch.cuda.empty_cache()
