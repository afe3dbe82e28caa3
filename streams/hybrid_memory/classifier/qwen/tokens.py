"""Texts to tokens and back. A text is data: whatever is written in it, it becomes plain characters to the model."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from hybrid_memory.classifier.qwen.prompt import Message

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

_MARKER = "{{ the text }}"
_TURN_END = "<|im_end|>"


class Frame(NamedTuple):
    """The tokens before and after a text."""

    before: list[int]
    after: list[int]


class Tokens:
    """A model's tokenizer, used in two ways: the frame is made with special tokens, texts without any."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        self._tokenizer = tokenizer
        self._plain = _without_special(tokenizer)

    def frame(self, conversation: Sequence[Message]) -> Frame:
        """The frame of a conversation; the content of its last turn stands for the text.

        Text and frame may be tokenised apart, since only special tokens and a line's end stand where they meet.
        """
        turns = [*conversation[:-1], {**conversation[-1], "content": _MARKER}]
        before, marker, after = self._rendered(turns).rpartition(_MARKER)
        if not marker:
            raise ValueError("the model's chat template leaves out the text")
        return Frame(self._special(before), self._special(after))

    def texts(self, texts: Sequence[str], most: int) -> list[list[int]]:
        """Each text as its first `most` tokens; white space at its ends does not count."""
        return [encoding.ids[:most] for encoding in self._plain.encode_batch_fast([text.strip() for text in texts])]

    def words(self, phrase: str) -> list[int]:
        """A phrase of the answer, by itself."""
        ids: list[int] = self._plain.encode(phrase, add_special_tokens=False).ids
        return ids

    def read(self, answers: Sequence[Sequence[int]]) -> list[str]:
        """What each answer says."""
        return self._plain.decode_batch([list(answer) for answer in answers], skip_special_tokens=True)

    @property
    def end(self) -> int:
        """The token that ends an answer: of the chat template, or of texts in general."""
        found: Any = self._tokenizer.convert_tokens_to_ids(_TURN_END)
        return int(self._tokenizer.eos_token_id if found in (None, self._tokenizer.unk_token_id) else found)

    def ends(self) -> set[int]:
        """All tokens that end an answer."""
        return {self.end, int(self._tokenizer.eos_token_id)}

    def _rendered(self, turns: list[Message]) -> str:
        if self._tokenizer.chat_template:
            rendered = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
            return str(rendered)
        said = "".join(f"<|im_start|>{turn['role']}\n{turn['content']}{_TURN_END}\n" for turn in turns)
        return f"{said}<|im_start|>assistant\n"

    def _special(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


def _without_special(tokenizer: "PreTrainedTokenizerBase") -> "Tokenizer":
    from tokenizers import Tokenizer

    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    backend |= {"added_tokens": [], "truncation": None, "padding": None, "post_processor": None}
    return Tokenizer.from_str(json.dumps(backend))
