"""The taxonomy: which classifiers there are, and the key words and examples that show them. A YAML file, checked as it
is read."""

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from hybrid_memory.classifier.checked_file import UnusableFileError, check_file, read_file
from hybrid_memory.classifier.words import words

_DEFAULT = "taxonomy.v2.yaml"


class TaxonomyError(UnusableFileError):
    """A taxonomy file cannot be used; the message says which file, which label and what is wrong."""

    kind = "taxonomy"


def _has_a_word(keyword: str) -> str:
    if not words(keyword):
        raise ValueError(f"key word {keyword!r} has no letter or digit in it")
    return keyword


def _without_repeats(keywords: tuple[str, ...]) -> tuple[str, ...]:
    seen: set[tuple[str, ...]] = set()
    for keyword in keywords:
        phrase = tuple(words(keyword))
        if phrase in seen:
            raise ValueError(f"key word {keyword!r} stands twice")
        seen.add(phrase)
    return keywords


def _all_different(examples: tuple[str, ...]) -> tuple[str, ...]:
    seen: set[str] = set()
    for example in examples:
        if example.casefold() in seen:
            raise ValueError(f"example {example!r} stands twice")
        seen.add(example.casefold())
    return examples


_ShortText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
_Name = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z0-9]+([ /&-]+[a-z0-9]+)*$")]
_Keyword = Annotated[_ShortText, AfterValidator(_has_a_word)]
_Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Label(_Frozen):
    """One classifier, and how a text shows it."""

    name: _Name = Field(description="The classifier as memories carry it: a short lower-case noun phrase.")
    description: _Sentence
    keywords: Annotated[tuple[_Keyword, ...], Field(min_length=1), AfterValidator(_without_repeats)]
    examples: Annotated[tuple[_Sentence, ...], AfterValidator(_all_different)] = Field(
        default=(), description="Sentences that people say or are remembered by, of this label."
    )
    topic: _ShortText | None = Field(default=None, description="The topic of a memory that has this classifier.")


class Taxonomy(_Frozen):
    """All labels, in the order in which equally strong ones are given."""

    version: _ShortText
    labels: Annotated[tuple[Label, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        seen: set[str] = set()
        for label in self.labels:
            if label.name in seen:
                raise ValueError(f"label {label.name!r} stands twice")
            seen.add(label.name)
        return self


def load_taxonomy(path: Path) -> Taxonomy:
    """Read and check the taxonomy file at `path`.

    Raises:
        TaxonomyError: it cannot be read, is not YAML, or is not a taxonomy.
    """
    return _parse(read_file(path, TaxonomyError), str(path))


@cache
def default_taxonomy() -> Taxonomy:
    """The taxonomy that is shipped."""
    text = resources.files("hybrid_memory.classifier").joinpath(_DEFAULT).read_text(encoding="utf-8")
    return _parse(text, _DEFAULT)


def _parse(text: str, file: str) -> Taxonomy:
    return check_file(text, file, Taxonomy, "'version' and 'labels'", _describe, TaxonomyError)


def _describe(error: ValidationError, data: dict[str, Any]) -> str:
    """Every fault, each with the label and the field it is in."""
    faults = []
    for item in error.errors(include_input=False, include_url=False):
        place = [*_label_of(item["loc"], data), *(str(step) for step in _field_of(item["loc"]))]
        faults.append(": ".join([*place, item["msg"].removeprefix("Value error, ")]))
    return "; ".join(faults)


def _label_of(loc: tuple[int | str, ...], data: dict[str, Any]) -> list[str]:
    if len(loc) < 2 or loc[0] != "labels" or not isinstance(loc[1], int):
        return []
    label = data["labels"][loc[1]]
    name = label.get("name") if isinstance(label, dict) else None
    return [f"label {name!r}" if isinstance(name, str) else f"label number {loc[1] + 1}"]


def _field_of(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    return loc[2:] if loc[:1] == ("labels",) and len(loc) > 1 else loc
