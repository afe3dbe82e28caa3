"""The topic registry: one YAML file a topic, read into typed, checked values.

Topics are made from it, documents are generated from it, and tests run on its examples.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from hybrid_memory.schemas.codec import describe
from hybrid_memory.schemas.errors import RegistryError

HEADER_ROOM = 64 * 1024
"""Bytes by which a dead-letter topic's largest record exceeds its source's, for the headers about the error."""

_DECIDED_HERE = ("cleanup.policy", "compression.type", "max.message.bytes", "message.timestamp.type")


def _as_kafka_writes(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MessageSpec(_Spec):
    """One version of a message. Without a schema its records have no value, so there are no examples either."""

    name: str
    version: Annotated[int, Field(ge=1)]
    type: str = Field(description="The CloudEvents type.")
    summary: str
    schema_file: str | None = Field(default=None, alias="schema")
    examples: str | None = None

    @property
    def id(self) -> str:
        """Its name with its version, as in file names: `memory.upserted.v1`."""
        return f"{self.name}.v{self.version}"

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        if (self.schema_file is None) != (self.examples is None):
            raise ValueError(f"{self.id} needs both a schema and examples, or neither")
        return self


class TopicSpec(_Spec):
    """A topic as it is made: `config` holds the broker's own keys and values, as text."""

    name: str
    purpose: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    key: str
    messages: tuple[MessageSpec, ...]
    partitions: Annotated[int, Field(ge=1)]
    config: dict[str, Annotated[str, BeforeValidator(_as_kafka_writes)]]
    copartitioned_with: str | None = Field(default=None, description="A topic of the same partition count.")
    dead_letters_of: str | None = Field(default=None, description="The topic whose bad records it keeps.")
    one_for_each: str | None = Field(
        default=None,
        description="Made when one of these begins, its id added to the name: `hm topics apply` makes none.",
    )

    @model_validator(mode="after")
    def _decides(self) -> Self:
        missing = [key for key in _DECIDED_HERE if key not in self.config]
        if missing:
            raise ValueError(f"config leaves {', '.join(missing)} to the broker")
        return self

    @property
    def max_message_bytes(self) -> int:
        """The largest batch that it takes, in bytes."""
        return int(self.config["max.message.bytes"])


class Registry:
    """All topics by name, in the order of their names."""

    def __init__(self, topics: Iterable[TopicSpec]) -> None:
        self._topics = {topic.name: topic for topic in sorted(topics, key=lambda topic: topic.name)}

    def __iter__(self) -> Iterator[TopicSpec]:
        return iter(self._topics.values())

    def __len__(self) -> int:
        return len(self._topics)

    def list(self) -> tuple[str, ...]:
        """The names of all topics."""
        return tuple(self._topics)

    def topic(self, name: str) -> TopicSpec:
        """The topic of this name, which is the one without a prefix.

        Raises:
            RegistryError: there is none.
        """
        try:
            return self._topics[name]
        except KeyError:
            raise RegistryError(f"no topic {name!r} in the registry; there are {', '.join(self._topics)}") from None

    def with_partitions(self, partitions: int) -> "Registry":
        """The same topics with another partition count, for a cluster that is being set up.

        Raises:
            ValueError: `partitions` is less than one.
        """
        if partitions < 1:
            raise ValueError(f"a topic has at least one partition, not {partitions}")
        return Registry(topic.model_copy(update={"partitions": partitions}) for topic in self)


@cache
def load_registry() -> Registry:
    """The registry that this package ships.

    Raises:
        RegistryError: PyYAML is not installed.
    """
    return read_registry(files("hybrid_memory.schemas"))


def read_registry(root: Traversable) -> Registry:
    """Read `topics/*.yaml` under `root` and check them against each other and the files that they name.

    Raises:
        RegistryError: a file cannot be read, or contradicts another; the message says which.
    """
    paths = [path for path in root.joinpath("topics").iterdir() if path.name.endswith(".yaml")]
    registry = Registry(_read(path) for path in paths)
    problems = [problem for topic in registry for problem in _problems(topic, registry, root)]
    if problems:
        raise RegistryError("; ".join(problems))
    return registry


def _read(path: Traversable) -> TopicSpec:
    yaml = _yaml()
    try:
        topic = TopicSpec.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise RegistryError(f"topics/{path.name} is not YAML: {error}") from error
    except ValidationError as error:
        raise RegistryError(f"topics/{path.name}: {describe(error)}") from error
    if path.name != f"{topic.name}.yaml":
        raise RegistryError(f"topics/{path.name} describes {topic.name}; its file should be {topic.name}.yaml")
    return topic


def _yaml() -> Any:
    try:
        import yaml
    except ImportError as error:
        raise RegistryError('the topic registry needs PyYAML; install it with: pip install "pyyaml>=6.0.2"') from error
    return yaml


def _problems(topic: TopicSpec, registry: Registry, root: Traversable) -> Iterator[str]:
    yield from _message_problems(topic, root)
    for other in (topic.copartitioned_with, topic.dead_letters_of):
        if other is not None:
            yield from _partner_problems(topic, other, registry)


def _message_problems(topic: TopicSpec, root: Traversable) -> Iterator[str]:
    for name in sorted({message.name for message in topic.messages}):
        versions = [message.version for message in topic.messages if message.name == name]
        if versions != list(range(1, len(versions) + 1)):
            yield f"{topic.name}: the versions of {name} are {versions}, not 1, 2, ... in this order"
    for message in topic.messages:
        if not message.type.endswith(f".{message.id}"):
            yield f"{topic.name}: the type {message.type} is not the one of {message.id}"
        if message.schema_file is not None and not root.joinpath(message.schema_file).is_file():
            yield f"{topic.name}: {message.id} has no schema at {message.schema_file}"
        if message.examples is not None and not _has_json(root.joinpath(message.examples)):
            yield f"{topic.name}: {message.id} has no examples in {message.examples}"


def _has_json(folder: Traversable) -> bool:
    return folder.is_dir() and any(path.name.endswith(".json") for path in folder.iterdir())


def _partner_problems(topic: TopicSpec, other: str, registry: Registry) -> Iterator[str]:
    if other not in registry.list():
        yield f"{topic.name} goes with {other}, which the registry does not hold"
        return
    partner = registry.topic(other)
    if topic.partitions != partner.partitions:
        yield f"{topic.name} has {topic.partitions} partitions and {other} has {partner.partitions}; they must agree"
    if topic.dead_letters_of is not None and topic.name != f"dlq.{other}":
        yield f"{topic.name} keeps the dead letters of {other}; its name should be dlq.{other}"
    if topic.dead_letters_of is not None and topic.max_message_bytes < partner.max_message_bytes + HEADER_ROOM:
        yield f"{topic.name} cannot hold the largest record of {other} with the headers about its error"
