"""Qwen as a classifier: texts to tokens, tokens to answers, answers to classifiers."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hybrid_memory.classifier.port import Answer, Classifier, Maker
from hybrid_memory.classifier.qwen.batches import Budget, free_memory, is_out_of_memory
from hybrid_memory.classifier.qwen.constrained import TriePicker
from hybrid_memory.classifier.qwen.decoding import Decoder
from hybrid_memory.classifier.qwen.hardware import find_hardware
from hybrid_memory.classifier.qwen.labels import clean, says_none
from hybrid_memory.classifier.qwen.model import load_model
from hybrid_memory.classifier.qwen.picking import FreePicker, Picker
from hybrid_memory.classifier.qwen.prompt import Prompt, conversation, prompt_of
from hybrid_memory.classifier.qwen.tokens import Tokens
from hybrid_memory.classifier.qwen.trie import Trie
from hybrid_memory.classifier.qwen.weights import fetch_weights
from hybrid_memory.classifier.taxonomy import Taxonomy
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import ClassifierSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MAX_NEW_TOKENS = 24
"""Of a free answer: three phrases take some 15."""

_TOKENS_AT_ONCE = 32_768
_TOKENS_AT_ONCE_GPU = 1_048_576
"""About so many tokens' keys and values are held at once: 0.8 GB on a processor, 13 GB on a GPU (bfloat16)."""


class QwenClassifier(Classifier):
    """Answers by a causal language model of transformers, batch by batch.

    Without `share_prefix` each text reads the whole prompt itself: the same answers, slower.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: "PreTrainedTokenizerBase",
        prompt: Prompt,
        taxonomy: Taxonomy | None,
        *,
        name: str,
        revision: str | None,
        batch_size: int = 64,
        max_text_tokens: int = 512,
        share_prefix: bool = True,
    ) -> None:
        self._maker = Maker("llm", name, revision, prompt.version, None if taxonomy is None else taxonomy.version)
        self._batch_size, self._max_text_tokens = batch_size, max_text_tokens
        self._tokens = Tokens(tokenizer)
        frame = self._tokens.frame(conversation(prompt, "", taxonomy))
        self._before, self._after = ([], frame.after) if share_prefix else frame
        self._decoder = Decoder(model)
        self._prefix = self._decoder.prefix(frame.before if share_prefix else [])
        names = [] if taxonomy is None else [label.name for label in taxonomy.labels]
        self._trie = Trie(names, self._tokens, self._tokens.end) if names else None
        self._picker: Picker = TriePicker(model, self._trie) if self._trie else FreePicker(model, self._tokens.ends())
        self._room = MAX_NEW_TOKENS if self._trie is None else self._trie.longest
        on_cpu = model.device.type == "cpu"
        self._budget = Budget(batch_size, _TOKENS_AT_ONCE if on_cpu else _TOKENS_AT_ONCE_GPU)
        self._device = model.device

    @property
    def maker(self) -> Maker:
        return self._maker

    @property
    def batch_size(self) -> int:
        return self._batch_size

    def classify(self, texts: Sequence[str]) -> list[Answer]:
        once = dict.fromkeys(texts)
        asked = [[*self._before, *text, *self._after] for text in self._tokens.texts(list(once), self._max_text_tokens)]
        said: list[list[int]] = [[]] * len(asked)
        for batch, answers in self._answered(asked):
            for at, answer in zip(batch, answers, strict=True):
                said[at] = answer
        read = self._tokens.read(said)
        own = [len(ask) - len(self._before) for ask in asked]
        answer_of = dict(zip(once, map(self._answer, said, read, own), strict=True))
        return [answer_of[text] for text in texts]

    def _answered(self, asked: Sequence[Sequence[int]]) -> Iterator[tuple[list[int], list[list[int]]]]:
        """Batch by batch: which texts, and their answers. A batch that memory is too small for is cut anew."""
        waiting = list(range(len(asked)))
        while waiting:
            lengths = [len(asked[at]) + self._room for at in waiting]
            batch = [waiting[at] for at in next(self._budget.cut(lengths))]
            try:
                yield batch, self._decode([asked[at] for at in batch])
            except Exception as error:
                if len(batch) == 1 or not is_out_of_memory(error):
                    raise
                self._budget.halve([len(asked[at]) + self._room for at in batch])
                free_memory(self._device)
                continue
            done = set(batch)
            waiting = [at for at in waiting if at not in done]

    def _decode(self, asked: Sequence[Sequence[int]]) -> list[list[int]]:
        return self._decoder.answer(asked, self._prefix, self._picker, [self._room] * len(asked))

    def _answer(self, said: Sequence[int], read: str, own: int) -> Answer:
        tokens = own + len(said)
        if self._trie is not None:
            return Answer(self._trie.read(said), self._maker, tokens=tokens)
        classifiers = clean(read, whole=len(said) < self._room)
        fault = None if classifiers or says_none(read) else "the model's answer holds no short noun phrase"
        return Answer(classifiers, self._maker, fault, tokens)


def open_qwen(settings: ClassifierSettings, taxonomy: Taxonomy) -> QwenClassifier:
    """The model of these settings: fetched where it is not on this machine, with progress; loaded and tried once.

    Raises:
        Refusal: weights, prompt, taxonomy or device cannot be used; the sentence says what to do.
    """
    prompt = prompt_of(settings)
    hardware = find_hardware(settings)
    weights = fetch_weights(settings)
    model, tokenizer = load_model(weights.folder, hardware)
    try:
        made = QwenClassifier(
            model,
            tokenizer,
            prompt,
            taxonomy if settings.mode == "taxonomy" else None,
            name=weights.name,
            revision=weights.revision,
            batch_size=hardware.batch_size,
            max_text_tokens=settings.max_text_tokens,
        )
    except ValueError as error:
        raise Refusal(f"the model {weights.name} cannot be used: {error}") from None
    made.classify(["Likes tea"])
    return made
