"""Whether a point is what the log says, and if not, in what it differs. Pure."""

from typing import Literal

from hybrid_memory.verify.states import Said, Shown

Kind = Literal["missing", "unknown", "resurrected", "stale", "text", "classifiers", "provisional"]

MEANING: dict[Kind, str] = {
    "missing": "in the log, not in the index",
    "unknown": "in the index, not in the log",
    "resurrected": "deleted in the log, live in the index",
    "stale": "another version than the log's last",
    "text": "the right version, and another text or metadata",
    "classifiers": "other classifiers than the log's best",
    "provisional": "waits for the classifier stream for too long",
}
MENDS: dict[Kind, str] = {
    "missing": "hm rebuild",
    "unknown": "hm rebuild",
    "resurrected": "hm rebuild",
    "stale": "hm rebuild",
    "text": "hm rebuild",
    "classifiers": "hm rebuild",
    "provisional": "start hm classify stream and wait, or: hm replay start --stale",
}


def difference(said: Said, shown: Shown | None, provisional_before: int | None = None) -> tuple[Kind, str] | None:
    """What differs, and how, or None.

    Classifiers that the sink's own rules made are in no record, so they are not compared. Deleted memories may have a
    tombstone or none, since both log and index forget them in the end. `provisional_before` (ms): what was appended by
    then should have its better classifiers.
    """
    if shown is None or shown.memory is None:
        return _of_absent(said, shown)
    if said.seq is None:
        return "unknown", f"seq {shown.seq}, and the log has no record of it"
    if said.memory is None:
        return "resurrected", f"deleted at {said.seq}, the index shows {shown.seq}"
    if said.seq != shown.seq:
        return "stale", f"the log says {said.seq}, the index {shown.seq}"
    if said.memory != shown.memory:
        return "text", f"at seq {said.seq}"
    return _of_classifiers(said, shown) or _of_waiting(shown, provisional_before)


def _of_absent(said: Said, shown: Shown | None) -> tuple[Kind, str] | None:
    if said.memory is not None:
        return "missing", f"seq {said.seq}" + (f", deleted at {shown.seq} in the index" if shown else "")
    if shown is not None and said.seq is not None and shown.seq != said.seq:
        return "stale", f"the log deletes at {said.seq}, the index at {shown.seq}"
    return None


def _of_classifiers(said: Said, shown: Shown) -> tuple[Kind, str] | None:
    if said.provided is not None:
        right = (shown.source, shown.labels) == ("provided", said.provided)
        wanted = "its caller's"
    elif said.fact is not None:
        right = (shown.generation, shown.source, shown.labels) == said.fact
        wanted = f"those of generation {said.fact[0]} ({said.fact[1]})"
    else:
        right = (shown.generation, shown.source) == (0, "rules")
        wanted = "the sink's own"
    if right:
        return None
    return "classifiers", f"the log says {wanted}, the index shows generation {shown.generation} ({shown.source})"


def _of_waiting(shown: Shown, before: int | None) -> tuple[Kind, str] | None:
    if before is None or shown.state != "provisional" or shown.appended_at > before:
        return None
    return "provisional", f"since {shown.appended_at}"
