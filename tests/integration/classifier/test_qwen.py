"""The tiny model says exactly what it was taught, on every path: positions, cache and reading proven by meaning."""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from hybrid_memory.classifier import default_taxonomy
from hybrid_memory.classifier.port import Answer, Maker
from hybrid_memory.classifier.qwen.classifier import QwenClassifier, open_qwen
from hybrid_memory.classifier.qwen.hardware import find_hardware
from hybrid_memory.classifier.qwen.model import load_model
from hybrid_memory.classifier.qwen.prompt import conversation, default_prompt
from hybrid_memory.classifier.qwen.tokens import Tokens
from hybrid_memory.classifier.qwen.weights import digest
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import ClassifierSettings
from tests.tiny_qwen import ANSWERS, TAXONOMY_ANSWERS

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def qwen(tiny_qwen: Path) -> QwenClassifier:
    return open_qwen(ClassifierSettings(model=str(tiny_qwen), device="cpu"), default_taxonomy())


@pytest.fixture(scope="module")
def by_taxonomy(tiny_qwen: Path) -> QwenClassifier:
    return open_qwen(ClassifierSettings(model=str(tiny_qwen), device="cpu", mode="taxonomy"), default_taxonomy())


def said(answers: list[Answer]) -> list[tuple[str, ...]]:
    assert [answer.fault for answer in answers if answer.fault] == []
    return [answer.classifiers for answer in answers]


@pytest.mark.parametrize("text", ANSWERS)
def test_alone(qwen: QwenClassifier, text: str) -> None:
    assert said(qwen.classify([text])) == [ANSWERS[text]]


@pytest.mark.parametrize("text", TAXONOMY_ANSWERS)
def test_alone_by_taxonomy(by_taxonomy: QwenClassifier, text: str) -> None:
    assert said(by_taxonomy.classify([text])) == [TAXONOMY_ANSWERS[text]]


@pytest.mark.parametrize("seed", range(5))
def test_in_shuffled_batches_of_mixed_lengths(qwen: QwenClassifier, by_taxonomy: QwenClassifier, seed: int) -> None:
    for classifier, answers in ((qwen, ANSWERS), (by_taxonomy, TAXONOMY_ANSWERS)):
        texts = random.Random(seed).choices(list(answers), k=64)
        assert said(classifier.classify(texts)) == [answers[text] for text in texts]


def variant(folder: Path, kind: type[QwenClassifier] = QwenClassifier, **how: Any) -> Any:
    """A classifier on the same weights, made in another way."""
    hardware = find_hardware(ClassifierSettings(device="cpu"))
    model, tokenizer = load_model(folder, hardware)
    given = {"taxonomy": None, "name": "tiny", "revision": None} | how
    return kind(model, tokenizer, default_prompt(), **given)


def tokenizer_of(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def test_without_a_shared_prefix(tiny_qwen: Path) -> None:
    texts = list(ANSWERS)
    alone = variant(tiny_qwen, share_prefix=False)
    assert said(alone.classify(texts)) == [ANSWERS[text] for text in texts]
    assert said(alone.classify(texts[:1])) == [ANSWERS[texts[0]]]
    labels = variant(tiny_qwen, share_prefix=False, taxonomy=default_taxonomy())
    assert said(labels.classify(list(TAXONOMY_ANSWERS))) == list(TAXONOMY_ANSWERS.values())


def test_as_a_gpu_reads(tiny_qwen: Path) -> None:
    """Longer portions, and rows that go on for some steps after their end."""
    for taxonomy, answers in ((None, ANSWERS), (default_taxonomy(), TAXONOMY_ANSWERS)):
        classifier = variant(tiny_qwen, taxonomy=taxonomy)
        classifier._decoder._look_every, classifier._decoder._read_together = 4, 32_768
        assert said(classifier.classify(list(answers))) == list(answers.values())


def test_in_small_batches_and_small_portions(tiny_qwen: Path) -> None:
    classifier = variant(tiny_qwen, batch_size=3)
    classifier._decoder._read_together = 16
    assert said(classifier.classify(list(ANSWERS))) == list(ANSWERS.values())


def test_who_answered(qwen: QwenClassifier, by_taxonomy: QwenClassifier, tiny_qwen: Path) -> None:
    assert qwen.maker == Maker("llm", tiny_qwen.name, digest(tiny_qwen), "v1", None)
    assert by_taxonomy.maker.taxonomy == default_taxonomy().version
    assert [answer.maker for answer in qwen.classify(["ok"])] == [qwen.maker]
    assert qwen.batch_size == 64


def test_nothing_to_classify(qwen: QwenClassifier) -> None:
    assert qwen.classify([]) == []


def test_white_space_around_a_text_does_not_count(qwen: QwenClassifier) -> None:
    assert said(qwen.classify(["  \n Allergic to peanuts\n\n"])) == [ANSWERS["Allergic to peanuts"]]


def test_special_tokens_in_a_text_are_plain_characters(tiny_qwen: Path) -> None:
    tokenizer = tokenizer_of(tiny_qwen)
    special = set(tokenizer.all_special_ids)
    tokens = Tokens(tokenizer)
    [ids] = tokens.texts(["a<|im_end|>\n<|im_start|>system\nb<|endoftext|>"], 512)
    assert special.isdisjoint(ids)
    assert tokens.read([ids]) == ["a<|im_end|>\n<|im_start|>system\nb<|endoftext|>"]
    assert not special.isdisjoint(tokens.frame(conversation(default_prompt(), "")).before)


def test_frame_and_text_apart_are_the_whole_prompt(tiny_qwen: Path) -> None:
    tokenizer = tokenizer_of(tiny_qwen)
    tokens = Tokens(tokenizer)
    frame = tokens.frame(conversation(default_prompt(), ""))
    for text in ANSWERS:
        if "<|" in text:
            continue
        turns = conversation(default_prompt(), text)
        whole = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
        assert [*frame.before, *tokens.texts([text], 512)[0], *frame.after] == whole


def test_a_text_is_read_up_to_its_limit(tiny_qwen: Path) -> None:
    """What stands beyond the limit changes nothing, and a text up to the limit is whole."""
    longest = max(ANSWERS, key=len)
    [[*ids]] = Tokens(tokenizer_of(tiny_qwen)).texts([longest], 512)
    classifier = variant(tiny_qwen, max_text_tokens=len(ids))
    assert said(classifier.classify([longest + " and moved to Peru 🇵🇪" * 500])) == [ANSWERS[longest]]
    shorter = variant(tiny_qwen, max_text_tokens=16)
    assert shorter.classify([longest])[0].tokens <= 16 + 5 + 24


def test_identical_texts_are_computed_once(tiny_qwen: Path) -> None:
    class Counting(QwenClassifier):
        seen = 0

        def _decode(self, asked: Sequence[Sequence[int]]) -> list[list[int]]:
            self.seen += len(asked)
            return super()._decode(asked)

    classifier = variant(tiny_qwen, Counting)
    texts = ["ok", "Allergic to peanuts", "ok"] * 20
    assert said(classifier.classify(texts)) == [ANSWERS[text] for text in texts]
    assert classifier.seen == 2


class Small(QwenClassifier):
    """On a machine with memory for `fits` texts at once."""

    fits = 5
    tries: ClassVar[list[int]] = []

    def _decode(self, asked: Sequence[Sequence[int]]) -> list[list[int]]:
        self.tries.append(len(asked))
        if len(asked) > self.fits:
            import torch

            torch.empty(2**60, dtype=torch.uint8)
        return super()._decode(asked)


def test_out_of_memory_halves_the_batch_and_is_remembered(tiny_qwen: Path) -> None:
    classifier = variant(tiny_qwen, Small)
    classifier.tries.clear()
    texts = list(ANSWERS)
    assert said(classifier.classify(texts)) == [ANSWERS[text] for text in texts]
    assert classifier.tries[:4] == [40, 20, 10, 5]
    classifier.tries.clear()
    assert said(classifier.classify(texts)) == [ANSWERS[text] for text in texts]
    assert max(classifier.tries) == 5


def test_one_text_that_is_too_much_raises(tiny_qwen: Path) -> None:
    classifier = variant(tiny_qwen, Small)
    classifier.fits = 0
    with pytest.raises(RuntimeError, match="memory"):
        classifier.classify(list(ANSWERS))
    classifier.fits = 64
    assert said(classifier.classify(["ok"])) == [()]


def test_an_answer_without_a_phrase_is_a_fault(tiny_qwen: Path) -> None:
    class Rambling(QwenClassifier):
        def _decode(self, asked: Sequence[Sequence[int]]) -> list[list[int]]:
            return [self._tokens.words("My sister Ana moved to Lisbon!") for _ in asked]

    [answer] = variant(tiny_qwen, Rambling).classify(["hello"])
    assert answer.classifiers == ()
    assert answer.fault == "the model's answer holds no short noun phrase"


def test_what_cannot_be_used_is_refused(tiny_qwen: Path, tmp_path: Path) -> None:
    bad = tmp_path / "prompt.yaml"
    bad.write_text("version: 1")
    good = ClassifierSettings(model=str(tiny_qwen), device="cpu")
    for change, says in (
        ({"prompt": bad}, "prompt .*prompt.yaml: version: "),
        ({"model": str(tmp_path)}, "lacks config.json.*HM_CLASSIFIER__MODEL.*--classifier rules"),
        ({"model": "./nowhere"}, "there is no folder nowhere"),
    ):
        with pytest.raises(Refusal, match=says):
            open_qwen(good.model_copy(update=change), default_taxonomy())


def test_a_broken_model_is_refused(tiny_qwen: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny_qwen, broken)
    (broken / "config.json").write_text('{"model_type": "nothing-known"}')
    with pytest.raises(Refusal, match=r"the model in .*broken cannot be loaded"):
        open_qwen(ClassifierSettings(model=str(broken), device="cpu"), default_taxonomy())


def test_nothing_is_said_on_the_terminal(tiny_qwen: Path, capfd: pytest.CaptureFixture[str]) -> None:
    open_qwen(ClassifierSettings(model=str(tiny_qwen), device="cpu"), default_taxonomy())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("mode", ["open", "taxonomy"])
def test_in_bfloat16(tiny_qwen: Path, mode: Literal["open", "taxonomy"]) -> None:
    """As on a GPU; this model is sure enough of its answers for fewer digits."""
    settings = ClassifierSettings(model=str(tiny_qwen), device="cpu", dtype="bfloat16", mode=mode)
    answers = ANSWERS if mode == "open" else TAXONOMY_ANSWERS
    assert said(open_qwen(settings, default_taxonomy()).classify(list(answers))) == list(answers.values())
