"""Where a model's weights are: a folder, the hub's cache on this machine, or the hub itself."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hybrid_memory.classifier.qwen import hub
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import ClassifierSettings

_SAMPLES = 16
_SAMPLE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """Where weights can be had from, and why from there. `nowhere`: why not."""

    kind: Literal["folder", "cache", "hub", "nowhere"]
    why: str
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Weights:
    """A model on this machine; `revision` is the hub's, or a digest of the folder."""

    folder: Path
    name: str
    revision: str


def find_weights(settings: ClassifierSettings, endpoint: str | None = None) -> Place:
    """Where the weights of these settings are. Loads and fetches nothing; asks the hub for some seconds at most."""
    model, folder = settings.model, Path(settings.model).expanduser()
    if folder.is_dir():
        if hub.is_complete(folder):
            return Place("folder", f"its weights are in {folder}", folder)
        return Place("nowhere", f"the folder {folder} lacks config.json, a tokenizer or *.safetensors")
    if model.startswith((".", "/", "~")):
        return Place("nowhere", f"there is no folder {folder}")
    found = hub.cached(model, settings.revision)
    if found is not None:
        return Place("cache", "its weights are in the model hub's cache on this machine", found)
    refused = hub.refuses(model, settings.revision, endpoint)
    return Place("hub", "the model hub has its weights") if refused is None else Place("nowhere", refused)


def fetch_weights(settings: ClassifierSettings, endpoint: str | None = None) -> Weights:
    """The weights of these settings, downloaded where they are not on this machine.

    Raises:
        Refusal: they cannot be had.
    """
    place = find_weights(settings, endpoint)
    if place.kind == "nowhere":
        raise Refusal(f"{missing(settings, place)}, or go without: --classifier rules")
    folder = place.folder or hub.download(settings.model, settings.revision, endpoint)
    if place.kind == "folder":
        return Weights(folder, folder.resolve().name, digest(folder))
    return Weights(folder, settings.model, folder.name)


def missing(settings: ClassifierSettings, place: Place) -> str:
    """Why weights cannot be had, and what to do."""
    return f"no weights for the model {settings.model}: {place.why}; set HM_CLASSIFIER__MODEL to a folder that has them"


def digest(folder: Path) -> str:
    """Twelve digits that tell models apart: of the configuration, and of samples all through the weights.

    Takes milliseconds, and does not depend on when or where the files were written.
    """
    found = hashlib.sha256((folder / "config.json").read_bytes())
    for file in sorted(folder.glob("*.safetensors")):
        size = file.stat().st_size
        found.update(f"{file.name}:{size}".encode())
        with file.open("rb") as weights:
            for sample in range(_SAMPLES):
                weights.seek(sample * max(0, size - _SAMPLE_BYTES) // (_SAMPLES - 1))
                found.update(weights.read(_SAMPLE_BYTES))
    return found.hexdigest()[:12]
