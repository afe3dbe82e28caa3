"""`hm rebuild back`, `drop` and `status`: what is done with generations that stand beside the serving one."""

import time
from dataclasses import dataclass
from typing import Literal

from hybrid_memory.index.summary import Summary
from hybrid_memory.rebuild.places import Place, place_of
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.sink.attach import find_topics
from hybrid_memory.sink.ownership import NotItsView, check_identity, check_progress

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Standing:
    """A generation, what it is, and what is in it, where that can be told; `behind` counts records."""

    name: str
    role: Literal["serving", "next", "kept"]
    summary: Summary | None = None
    behind: int | None = None
    reason: str = ""


def back(settings: Settings) -> str:
    """Make the generation that was current before current again; a sentence says what follows.

    Raises:
        Refusal: there is none, it cannot catch up any more, or something is away; nothing was changed.
    """
    place = place_of(settings)
    try:
        kept = place.generations.kept()
        if kept is None:
            raise Refusal("there is no older generation to go back to")
        if not place.held(kept):  # else somebody follows the log with it
            _check_usable(settings, place, kept)
        place.generations.switch(kept)
        return f"{place.describe(kept)} is the index again; who serves goes over to it, and the other one is kept"
    except Unavailable as error:
        raise Refusal(f"{error}; nothing was changed") from None
    finally:
        place.close()


def drop(settings: Settings) -> str:
    """Delete the generation that is kept or, where there is none, the one that was begun; a sentence says which.

    Raises:
        Refusal: there is none, somebody uses it, or something is away; nothing was changed.
    """
    place = place_of(settings)
    try:
        other = place.generations.kept() or place.generations.building()
        if other is None:
            raise Refusal("there is no other generation of the index to drop")
        place.check_unused(other)
        place.generations.drop(other)
        return f"{place.describe(other)} was dropped"
    except Unavailable as error:
        raise Refusal(f"{error}; nothing was changed") from None
    finally:
        place.close()


def standings(settings: Settings) -> list[Standing]:
    """All generations, the serving one first.

    Raises:
        Refusal: something is away.
    """
    place = place_of(settings)
    try:
        ends = _ends(settings)
        now, names = place.generations.current(), place.generations.names()
        roles: list[tuple[str | None, Literal["serving", "next", "kept"]]] = [
            (now if now in names else None, "serving"),
            (place.generations.building(), "next"),
            (place.generations.kept(), "kept"),
        ]
        return [_standing(place, name, role, ends) for name, role in roles if name is not None]
    except Unavailable as error:
        raise Refusal(str(error)) from None
    finally:
        place.close()


def _check_usable(settings: Settings, place: Place, name: str) -> None:
    """Refuse one that a sink would refuse, whatever its embedder."""
    cluster = Cluster(settings, 5)
    topics = find_topics(cluster, settings.topic_prefix)
    with place.open(name) as store:
        identity, progress = store.identity(), store.progress()
    assert identity is not None
    try:
        both = {topic.name: topic for topic in (topics.memories, topics.classified)}
        check_identity(identity, both, identity.embedder, identity.dimensions)
        retention = int(cluster.config(topics.memories.name)["delete.retention.ms"])
        check_progress(progress, _ends(settings), int(time.time() * 1000), retention)
    except NotItsView as error:
        raise Refusal(f"{place.describe(name)} cannot be gone back to: {error.what}; nothing was changed") from None


def _standing(
    place: Place, name: str, role: Literal["serving", "next", "kept"], ends: dict[tuple[str, int], int]
) -> Standing:
    try:
        summary = place.look(name, int(time.time() * 1000) - 24 * _DAY_MS, 0)
    except Refusal as error:
        return Standing(name, role, reason=str(error))
    if summary is None:
        return Standing(name, role, reason="there is nothing in it yet")
    behind = sum(max(0, end - summary.after.get(at, 0)) for at, end in ends.items())
    return Standing(name, role, summary, behind)


def _ends(settings: Settings) -> dict[tuple[str, int], int]:
    cluster = Cluster(settings, 5)
    topics = find_topics(cluster, settings.topic_prefix)
    both = (topics.memories, topics.classified)
    return {(topic.name, number): end for topic in both for number, end in cluster.ends(topic).items()}
