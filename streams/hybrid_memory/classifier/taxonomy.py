"""The taxonomy: which classifiers there are, and the key words and examples that show them. A YAML file, checked as it
is read."""

import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from hybrid_memory.classifier.checked_file import Place, UnusableFileError, check_file, read_file
from hybrid_memory.classifier.words import words

_DEFAULT = "taxonomy.v2.yaml"


class TaxonomyError(UnusableFileError):
    """A taxonomy file cannot be used; the message says which file, which label and what is wrong."""

    kind = "taxonomy"


def _has_a_word(keyword: str) -> str:
    if not words(keyword):
        raise ValueError(f"key word {keyword!r} has no letter or digit in it")
    return keyword


def _plain(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+([ /&-]+[a-z0-9]+)*", name):
        raise ValueError("it must be of small letters and digits, as 'food preference' is")
    return name


_ShortText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
_Name = Annotated[str, StringConstraints(max_length=64), AfterValidator(_plain)]
_Keyword = Annotated[_ShortText, AfterValidator(_has_a_word)]
_Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Label(_Frozen):
    """One classifier, and how a text shows it."""

    name: _Name = Field(description="The classifier as memories carry it: a short lower-case noun phrase.")
    description: _Sentence
    keywords: Annotated[tuple[_Keyword, ...], Field(min_length=1)]
    examples: tuple[_Sentence, ...] = Field(
        default=(), description="Sentences that people say or are remembered by, of this label."
    )
    topic: _ShortText | None = Field(default=None, description="The topic of a memory that has this classifier.")


class Taxonomy(_Frozen):
    """All labels, in the order in which equally strong ones are given."""

    version: _ShortText
    labels: Annotated[tuple[Label, ...], Field(min_length=1)]


def load_taxonomy(path: Path) -> Taxonomy:
    """Read and check the taxonomy file at `path`.

    Raises:
        TaxonomyError: it cannot be read, is not YAML, is not a taxonomy, or something stands twice in it.
    """
    taxonomy = read_taxonomy(path)
    faults = [says for _, says in repeats(taxonomy)]
    if faults:
        raise TaxonomyError(f"taxonomy {path}: {'; '.join(faults)}", faults)
    return taxonomy


def read_taxonomy(path: Path) -> Taxonomy:
    """The taxonomy file at `path`, in which something may stand twice. Raises as `load_taxonomy` otherwise."""
    return _parse(read_file(path, TaxonomyError), str(path))


def repeats(taxonomy: Taxonomy) -> Iterator[tuple[str, str]]:
    """What stands twice: labels, and key words and examples of one label. Each as the label and a sentence."""
    for name in _seen_before((label.name for label in taxonomy.labels), str):
        yield name, f"label {name!r} stands twice"
    for label in taxonomy.labels:
        for keyword in _seen_before(label.keywords, _phrase):
            yield label.name, f"label {label.name!r}: key word {keyword!r} stands twice"
        for example in _seen_before(label.examples, str.casefold):
            yield label.name, f"label {label.name!r}: example {example!r} stands twice"


def _seen_before(texts: Iterable[str], form: Callable[[str], Hashable]) -> Iterator[str]:
    seen: set[Hashable] = set()
    for text in texts:
        if form(text) in seen:
            yield text
        seen.add(form(text))


def _phrase(keyword: str) -> tuple[str, ...]:
    return tuple(words(keyword))


@cache
def default_taxonomy() -> Taxonomy:
    """The taxonomy that is shipped."""
    text = resources.files("hybrid_memory.classifier").joinpath(_DEFAULT).read_text(encoding="utf-8")
    return _parse(text, _DEFAULT)


def _parse(text: str, file: str) -> Taxonomy:
    return check_file(text, file, Taxonomy, "'version' and 'labels'", _describe, TaxonomyError)


def _describe(place: Place, data: dict[str, Any]) -> list[str]:
    """The label and the field of it."""
    return [*_label_of(place, data), *(str(step) for step in _field_of(place))]


def _label_of(loc: Place, data: dict[str, Any]) -> list[str]:
    if len(loc) < 2 or loc[0] != "labels" or not isinstance(loc[1], int):
        return []
    label = data["labels"][loc[1]]
    name = label.get("name") if isinstance(label, dict) else None
    return [f"label {name!r}" if isinstance(name, str) else f"label number {loc[1] + 1}"]


def _field_of(loc: Place) -> Place:
    return loc[2:] if loc[:1] == ("labels",) and len(loc) > 1 else loc
