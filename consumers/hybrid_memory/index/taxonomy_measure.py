"""Measures a taxonomy on texts whose domain is known: key words alone against key words and examples."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hybrid_memory.classifier import Rules, Taxonomy
from hybrid_memory.index.embedder import Embedder
from hybrid_memory.index.labelling import fast_classifier
from hybrid_memory.runtime.errors import Refusal


@dataclass(frozen=True, slots=True)
class Score:
    """Of a domain's texts, the share whose first label is one of the domain's: by key words alone, and by both."""

    domain: str
    texts: int
    by_words: float
    by_both: float


def measure(
    taxonomy: Taxonomy, texts: Mapping[str, str], labels_of: Mapping[str, Iterable[str]], embedder: Embedder
) -> list[Score]:
    """A score a domain, and of all together as "all". `texts` maps each text to its domain."""
    rules = Rules(taxonomy)
    vectors = dict(zip(texts, embedder.embed(list(texts)).tolist(), strict=True))
    both = fast_classifier(taxonomy, embedder).over(vectors)
    right: dict[str, list[tuple[bool, bool]]] = {}
    for text, domain in texts.items():
        wanted = set(labels_of[domain])
        hits = tuple(bool(wanted & set(found.classify(text).classifiers[:1])) for found in (rules, both))
        right.setdefault(domain, []).append((hits[0], hits[1]))
    rows = {**right, "all": [hit for hits in right.values() for hit in hits]}
    return [
        Score(name, len(hits), *(sum(column) / len(hits) for column in zip(*hits, strict=True)))
        for name, hits in rows.items()
    ]


def read_texts(file: Path, text: str = "text", domain: str = "domain") -> dict[str, str]:
    """Each text of a CSV file with its domain; of a text that stands twice, the last counts.

    Raises:
        Refusal: it cannot be read, has no such columns, or no row.
    """
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines)
            absent = [name for name in (text, domain) if name not in (reader.fieldnames or ())]
            if absent:
                raise Refusal(
                    f"{file} has no column {absent[0]!r}; its first line must name the columns text and domain"
                )
            rows = {row[text]: row[domain] for row in reader if row[text] and row[domain]}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Refusal(f"{file} cannot be read: {error}") from None
    if not rows:
        raise Refusal(f"{file} has no row with a text and a domain")
    return rows


def read_map(file: Path | None, domains: Iterable[str], taxonomy: Taxonomy) -> dict[str, list[str]]:
    """The labels of each domain; without a file, a domain is the label of its name.

    Raises:
        Refusal: it is no YAML mapping of domains to labels, a domain is missing, or a label is unknown.
    """
    found = {domain: [domain] for domain in domains} if file is None else _mapping(file)
    known = {label.name for label in taxonomy.labels}
    for domain in dict.fromkeys(domains):
        if domain not in found:
            raise Refusal(f"{file} does not say which labels the domain {domain!r} has")
        unknown = [name for name in found[domain] if name not in known]
        if unknown:
            raise Refusal(f"the taxonomy has no label {unknown[0]!r}, which the domain {domain!r} asks for (see --map)")
    return found


def _mapping(file: Path) -> dict[str, list[str]]:
    import yaml

    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Refusal(f"{file} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict) or not all(isinstance(labels, list) for labels in data.values()):
        raise Refusal(f"{file} must map each domain to a list of labels")
    return {str(domain): [str(label) for label in labels] for domain, labels in data.items()}
