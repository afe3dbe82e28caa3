"""The fast classifiers of a taxonomy, over the embedder of an index."""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np

from hybrid_memory.classifier import Rules, Taxonomy
from hybrid_memory.classifier.fast import FastClassifier
from hybrid_memory.classifier.prototypes import Prototypes
from hybrid_memory.classifier.taxonomies import taxonomy_of
from hybrid_memory.index.embedder import Embedder, Matrix
from hybrid_memory.runtime.settings import Settings


def open_fast_classifier(settings: Settings, embedder: Embedder) -> FastClassifier:
    """That of the taxonomy which these settings name. Its examples are embedded once and kept in the data folder.

    Raises:
        Refusal: the taxonomy cannot be used.
    """
    return fast_classifier(taxonomy_of(settings), embedder, settings.data_dir / "prototypes")


def open_rules(settings: Settings) -> Rules:
    """Its key words alone. Raises as `open_fast_classifier`."""
    return Rules(taxonomy_of(settings))


def fast_classifier(taxonomy: Taxonomy, embedder: Embedder, kept: Path | None = None) -> FastClassifier:
    """One that is ready. Without a folder where vectors are `kept`, all examples are embedded: a second or more.

    A taxonomy without examples is classified by its key words alone.
    """
    examples = example_vectors(taxonomy, embedder, kept)
    return FastClassifier(Rules(taxonomy), Prototypes(examples) if any(map(len, examples)) else None)


def example_vectors(taxonomy: Taxonomy, embedder: Embedder, kept: Path | None = None) -> list[Matrix]:
    """The vectors of each label's examples."""
    texts = [example for label in taxonomy.labels for example in label.examples]
    vectors = embedder.embed(texts) if kept is None else _kept(kept, texts, embedder)
    found, at = [], 0
    for label in taxonomy.labels:
        found.append(vectors[at : at + len(label.examples)])
        at += len(label.examples)
    return found


def _kept(folder: Path, texts: Sequence[str], embedder: Embedder) -> Matrix:
    """The vectors of these texts by this embedder, from the folder where it has them."""
    name = sha256(json.dumps([embedder.name, *texts]).encode()).hexdigest()[:16]
    path = folder / f"{name}.npy"
    try:
        vectors: Matrix = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # not there, or cut off
        vectors = np.empty((0, 0), np.float32)
    if vectors.shape != (len(texts), embedder.dimensions):
        vectors = embedder.embed(texts)
        _keep(path, vectors)
    return vectors


def _keep(path: Path, vectors: Matrix) -> None:
    """Write it whole or not at all; where nothing can be written, the next start embeds again."""
    part = path.with_name(f"{path.stem}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.save(file, vectors)
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
