"""Makes the registry's topics on a cluster, and refuses what would break the order of the log."""

import time
from collections.abc import Collection, Container, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.kafka import Cluster, TopicInfo
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas.registry import TopicSpec, load_registry

_READY_SECONDS = 20.0

Outcome = Literal["made", "as it should be", "settings mended"]


@dataclass(frozen=True, slots=True)
class Applied:
    """A topic after `apply_topics`: its name on the cluster, its partitions, and what was done."""

    name: str
    partitions: int
    outcome: Outcome


def apply_topics(settings: Settings, cluster: Cluster | None = None) -> list[Applied]:
    """Make every topic of the registry that is missing, and mend the settings of the others.

    Raises:
        Refusal: a topic has another partition count than the registry says. Nothing is changed then.
        Unavailable: Kafka does not answer.
    """
    cluster = cluster or Cluster(settings)
    specs = {settings.topic_prefix + spec.name: spec for spec in load_registry() if spec.one_for_each is None}
    found = cluster.topics(specs)
    for name, info in found.items():
        _refuse_other_count(info, specs[name])
    made = _create(cluster, specs, found)
    mended = _mend(cluster, {name: spec for name, spec in specs.items() if name not in made})
    outcomes: dict[str, Outcome] = {name: "made" if name in made else "as it should be" for name in specs}
    outcomes |= dict.fromkeys(mended, "settings mended")
    return [Applied(name, spec.partitions, outcomes[name]) for name, spec in specs.items()]


def _refuse_other_count(info: TopicInfo, spec: TopicSpec) -> None:
    if info.partitions != spec.partitions:
        raise Refusal(
            f"topic {info.name} has {info.partitions} partitions and the registry says {spec.partitions}; the count is "
            f"fixed for a topic's life, since a memory's key decides its partition: correct the registry, or copy the "
            f"log into a topic of another name (HM_TOPIC_PREFIX)"
        )


def _create(cluster: Cluster, specs: Mapping[str, TopicSpec], found: Container[str]) -> set[str]:
    """Make them, and return the names of those that were not there.

    Those that were found are asked for too: for a moment after a topic was deleted brokers still tell of it, and only
    the controller, which makes topics, knows.
    """
    new = [
        NewTopic(name, spec.partitions, replication_factor=-1, config=dict(spec.config)) for name, spec in specs.items()
    ]
    made = {
        name
        for name, future in cluster.admin.create_topics(new, request_timeout=30).items()
        if _made(cluster, future, needed=name not in found)
    }
    await_ready(cluster, [name for name in specs if name in made or name not in found])
    return made


def _made(cluster: Cluster, future: Future[None], needed: bool) -> bool:
    """Whether a topic was made, rather than there already. That we may not make topics matters where it is needed."""
    try:
        cluster.result(future)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
        return False
    except Refusal:
        if needed:
            raise
        return False
    return True


def await_ready(cluster: Cluster, names: Collection[str]) -> None:
    """Wait for topics that were made: a broker hears of one, and of who leads it, a moment after the controller.

    Raises:
        Unavailable: Kafka does not serve them.
    """
    deadline = time.monotonic() + _READY_SECONDS
    while not _ready(cluster, names):
        if time.monotonic() > deadline:
            raise Unavailable(f"Kafka made topics that it does not serve after {_READY_SECONDS:.0f} s")
        time.sleep(0.05)


def _ready(cluster: Cluster, names: Collection[str]) -> bool:
    try:
        found = cluster.topics(names)
        return len(found) == len(names) and all(cluster.ends(topic) for topic in found.values())
    except (KafkaException, Unavailable):
        return False


def _mend(cluster: Cluster, specs: dict[str, TopicSpec]) -> set[str]:
    """Set what differs from the registry; returns the names of the topics that differed."""
    if not specs:
        return set()
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in specs]
    changes = []
    for resource, future in cluster.admin.describe_configs(resources, request_timeout=30).items():
        present = cluster.result(future)
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
            for key, value in specs[resource.name].config.items()
            if key in present and present[key].value != value
        ]
        if entries:
            changes.append(ConfigResource(ResourceType.TOPIC, resource.name, incremental_configs=entries))
    if changes:
        for future in cluster.admin.incremental_alter_configs(changes, request_timeout=30).values():
            cluster.result(future)
    return {change.name for change in changes}
