"""The classifier of a job: as its definition says, whatever files this machine has."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hybrid_memory.classifier.qwen.prompt import prompt_of
from hybrid_memory.classifier.taxonomies import taxonomy_of
from hybrid_memory.runtime.settings import ClassifierSettings, Settings
from hybrid_memory.schemas.replays import ReplayClassifier, ReplayDefinition, ReplayFile


def classifier_of(settings: Settings) -> ReplayClassifier:
    """What these settings say of a classifier, taxonomy and prompt as they are now.

    Raises:
        Refusal: one of these files cannot be used.
    """
    wanted = settings.classifier
    taxonomy, prompt = taxonomy_of(settings), prompt_of(wanted)
    return ReplayClassifier(
        kind=wanted.kind,
        model=wanted.model,
        revision=wanted.revision,
        mode=wanted.mode,
        taxonomy=_file(wanted.taxonomy, taxonomy.version),
        prompt=_file(wanted.prompt, prompt.version),
    )


@contextmanager
def settings_for(settings: Settings, definition: ReplayDefinition) -> Iterator[Settings]:
    """Settings by which the job's classifier is opened. Its files are there while the context lasts."""
    said = definition.classifier
    with TemporaryDirectory(prefix="hm-replay-", ignore_cleanup_errors=True) as folder:
        wanted = settings.classifier.model_dump() | {
            "kind": said.kind,
            "model": said.model or settings.classifier.model,
            "revision": said.revision,
            "mode": said.mode,
            "generation": definition.generation,
            "taxonomy": _written(said.taxonomy, Path(folder) / "taxonomy.yaml"),
            "prompt": _written(said.prompt, Path(folder) / "prompt.yaml"),
        }
        yield settings.model_copy(update={"classifier": ClassifierSettings(**wanted)})


def _file(path: Path | None, version: str) -> ReplayFile | None:
    return None if path is None else ReplayFile(version=version, text=path.read_text(encoding="utf-8"))


def _written(file: ReplayFile | None, path: Path) -> Path | None:
    if file is None:
        return None
    path.write_text(file.text, encoding="utf-8")
    return path
