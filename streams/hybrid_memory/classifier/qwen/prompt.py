"""The few-shot prompt: a versioned YAML file, checked as it is read, and the conversation that it makes."""

from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from hybrid_memory.classifier.checked_file import Place, UnusableFileError, check_file, read_file
from hybrid_memory.classifier.qwen.labels import NONE, clean
from hybrid_memory.classifier.taxonomy import Taxonomy
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import ClassifierSettings

_DEFAULT = "prompt.v1.yaml"
_LABELS = "{labels}"

Message = dict[str, str]
"""A turn of the conversation: its `role` and `content`."""


class PromptError(UnusableFileError):
    """A prompt file cannot be used; the message says which file, where in it and what is wrong."""

    kind = "prompt"


_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8192)]
_Version = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Example(_Frozen):
    """A text, and how it is to be answered."""

    text: _Text
    labels: tuple[str, ...]

    @model_validator(mode="after")
    def _is_an_answer(self) -> Self:
        if clean(answer_of(self.labels)) != self.labels:
            raise ValueError(f"labels {answer_of(self.labels)!r}: at most three different short noun phrases")
        return self


class Part(_Frozen):
    """What stands before a text in one mode."""

    system: _Text
    examples: Annotated[tuple[Example, ...], Field(max_length=16)]


class Prompt(_Frozen):
    """Both modes of one version."""

    version: _Version
    open: Part
    taxonomy: Part

    @model_validator(mode="after")
    def _has_a_place_for_labels(self) -> Self:
        if self.taxonomy.system.count(_LABELS) != 1:
            raise ValueError(f"taxonomy: system: {_LABELS} must stand in it once")
        return self


def answer_of(labels: tuple[str, ...]) -> str:
    """How the model is to write these labels."""
    return ", ".join(labels) or NONE


def conversation(prompt: Prompt, text: str, taxonomy: Taxonomy | None = None) -> list[Message]:
    """The turns that ask for the labels of `text`: the taxonomy's, or free phrases without one."""
    part = prompt.open if taxonomy is None else prompt.taxonomy
    system = part.system if taxonomy is None else part.system.replace(_LABELS, _listed(taxonomy))
    return [{"role": "system", "content": system}, *_shown(part, taxonomy), {"role": "user", "content": text}]


def load_prompt(path: Path) -> Prompt:
    """Read and check the prompt file at `path`.

    Raises:
        PromptError: it cannot be read, is not YAML, or is not a prompt.
    """
    return _parse(read_file(path, PromptError), str(path))


def prompt_of(settings: ClassifierSettings) -> Prompt:
    """The prompt that these settings name.

    Raises:
        Refusal: it cannot be used.
    """
    try:
        return default_prompt() if settings.prompt is None else load_prompt(settings.prompt)
    except PromptError as error:
        raise Refusal(str(error)) from None


@cache
def default_prompt() -> Prompt:
    """The prompt that is shipped."""
    text = resources.files("hybrid_memory.classifier.qwen").joinpath(_DEFAULT).read_text(encoding="utf-8")
    return _parse(text, _DEFAULT)


def _listed(taxonomy: Taxonomy) -> str:
    return "\n".join(f"{label.name}: {label.description}" for label in taxonomy.labels)


def _shown(part: Part, taxonomy: Taxonomy | None) -> Iterator[Message]:
    names = None if taxonomy is None else {label.name for label in taxonomy.labels}
    for example in part.examples:
        labels = tuple(label for label in example.labels if names is None or label in names)
        if example.labels and not labels:
            continue  # answered with none, it would teach that its labels never fit
        yield {"role": "user", "content": example.text}
        yield {"role": "assistant", "content": answer_of(labels)}


def _parse(text: str, file: str) -> Prompt:
    return check_file(text, file, Prompt, "'version', 'open' and 'taxonomy'", _describe, PromptError)


def _describe(place: Place, _: dict[str, Any]) -> list[str]:
    return [str(step) for step in place]
