"""Greedy answers to many texts at once. Each is the one that its text would get alone."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hybrid_memory.classifier.qwen.answers import OpenAnswers
from hybrid_memory.classifier.qwen.attention import use_shared_prefix
from hybrid_memory.classifier.qwen.picking import Picker
from hybrid_memory.classifier.qwen.rows import Layout, Prefix, Rows

if TYPE_CHECKING:
    import torch

_READ_TOGETHER = 512
"""Tokens read in one pass: on a processor so few that what lies between the layers stays in its caches."""
_READ_TOGETHER_GPU = 32_768
_LOOK_EVERY_GPU = 4
"""Steps between two looks at which answers have ended; each look waits for the device. On a processor, each step."""


class Decoder:
    """A causal language model of transformers with full attention, and a way to answer with it. For one thread."""

    def __init__(self, model: Any) -> None:
        use_shared_prefix(model)
        self.model = model
        self._device: torch.device = model.device
        on_cpu = self._device.type == "cpu"
        self._read_together = _READ_TOGETHER if on_cpu else _READ_TOGETHER_GPU
        self._look_every = 1 if on_cpu else _LOOK_EVERY_GPU

    def prefix(self, tokens: Sequence[int]) -> Prefix:
        """What stands before every text, read once; empty for no tokens."""
        import torch

        empty = self._no_prefix()
        if not tokens:
            return empty
        with torch.inference_mode():
            rows = Rows(empty, 1, len(tokens))
            self._read(rows, [tokens])
            return rows.as_prefix()

    def answer(
        self, texts: Sequence[Sequence[int]], prefix: Prefix, picker: Picker, limits: Sequence[int]
    ) -> list[list[int]]:
        """The tokens that follow each text, up to its limit or to where the picker ends it; the end is no part of it.

        No text is empty. Texts of near lengths are fastest together. Blocks.
        """
        import torch

        most = max(limits)
        with torch.inference_mode():
            rows = Rows(prefix, len(texts), max(map(len, texts)) + most)
            answers = OpenAnswers(rows, picker, [len(text) for text in texts], limits, self._device)
            hidden = self._read(rows, texts)
            for step in range(1, most + 1):
                answers.take(hidden)
                if step == most or (step % self._look_every == 0 and not answers.close_ended()):
                    break
                hidden = self._forward(answers.last, *answers.place_last())
            return answers.written()

    def _read(self, rows: Rows, texts: Sequence[Sequence[int]]) -> "torch.Tensor":
        """Read all texts, a few at a time; the hidden state of each one's last token."""
        import torch

        last, first = [], 0
        for some in _portions(texts, self._read_together):
            sizes = torch.tensor([len(text) for text in some], device=self._device)
            tokens = torch.tensor([token for text in some for token in text], device=self._device)
            layout, columns = rows.reading(sizes, first)
            hidden = self._forward(tokens, layout, rows.prefix.length + columns)
            last.append(hidden[sizes.cumsum(0) - 1])
            first += len(some)
        return torch.cat(last)

    def _forward(self, tokens: "torch.Tensor", layout: Layout, positions: "torch.Tensor") -> "torch.Tensor":
        """The library's forward over tokens in one line; a hidden state a token."""
        found = self.model.model(input_ids=tokens[None], position_ids=positions[None], use_cache=False, layout=layout)
        states: torch.Tensor = found.last_hidden_state[0]
        return states

    def _no_prefix(self) -> Prefix:
        import torch

        config = self.model.config
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        shape = (config.num_hidden_layers, config.num_key_value_heads, 0, width)
        nothing = torch.zeros(shape, dtype=self.model.dtype, device=self._device)
        return Prefix(nothing, nothing)


def _portions(texts: Sequence[Sequence[int]], most: int) -> Iterator[Sequence[Sequence[int]]]:
    """The texts in their order, in parts of at most so many tokens; a longer text is a part by itself."""
    first, tokens = 0, 0
    for at, text in enumerate(texts):
        if at > first and tokens + len(text) > most:
            yield texts[first:at]
            first, tokens = at, 0
        tokens += len(text)
    yield texts[first:]
