"""Where a model's weights are: a folder, the hub's cache on this machine, or the hub itself."""

from dataclasses import dataclass
from pathlib import Path

from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import ClassifierSettings


@dataclass(frozen=True, slots=True)
class Weights:
    folder: Path
    name: str
    revision: str


def fetch_weights(settings: ClassifierSettings) -> Weights:
    folder = Path(settings.model)
    if not folder.is_dir():
        raise Refusal("not yet")
    return Weights(folder, folder.name, "x")
