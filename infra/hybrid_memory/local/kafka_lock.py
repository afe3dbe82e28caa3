"""The files of Kafka, pinned: every jar with its coordinate, size and SHA-256 (`kafka_lock.json`)."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """A jar as it must be."""

    coordinate: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """File name: artifact-version.jar."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"

    def has_right_size(self, folder: Path) -> bool:
        """Whether it lies in `folder` with its size; reads no contents."""
        try:
            return (folder / self.name).stat().st_size == self.size
        except OSError:
            return False

    def is_whole(self, path: Path) -> bool:
        """Whether `path` has exactly the pinned contents."""
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class KafkaLock:
    """A version of Kafka and all its files, in the order of the class path."""

    version: str
    files: tuple[PinnedFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def to_json(self) -> str:
        """The text of a lock or manifest."""
        lines = (
            json.dumps({"coordinate": file.coordinate, "size": file.size, "sha256": file.sha256}) for file in self.files
        )
        listing = ",\n".join(f"    {line}" for line in lines)
        return f'{{\n  "kafka": "{self.version}",\n  "files": [\n{listing}\n  ]\n}}\n'

    @classmethod
    def from_json(cls, text: str) -> "KafkaLock":
        """Read what `to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        document = json.loads(text)
        try:
            files: Sequence[dict[str, object]] = document["files"]
            return cls(document["kafka"], tuple(_pinned(file) for file in files))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a list of pinned files: {error}") from None


def _pinned(entry: dict[str, object]) -> PinnedFile:
    return PinnedFile(str(entry["coordinate"]), int(str(entry["size"])), str(entry["sha256"]))


@cache
def kafka_lock() -> KafkaLock:
    """The lock that this version of the product runs."""
    return KafkaLock.from_json(resources.files(__package__).joinpath("kafka_lock.json").read_text())
