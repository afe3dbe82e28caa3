"""Which letters a command line means, and what was read to find them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hybrid_memory.dlq.headers import is_dead_letter, read_why
from hybrid_memory.dlq.letters import Filter, Letter, Ref, View
from hybrid_memory.dlq.reading import Log
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.schemas.registry import TopicSpec, load_registry


@dataclass(frozen=True, slots=True)
class Shelf:
    """A dead-letter topic as it was read, and the letters of it that are meant."""

    topic: TopicInfo
    view: View
    ranges: dict[int, tuple[int, int]]
    chosen: list[Letter]


def topics_of(log: Log, name: str | None) -> list[TopicInfo]:
    """The topic of this name, or the registry's own dead-letter topics.

    Raises:
        Refusal: it does not exist, or holds no dead letters; or none of ours exists.
    """
    if name is not None:
        return [_dead_letter_topic(log, name)]
    ours = [log.settings.topic_prefix + spec.name for spec in load_registry() if spec.dead_letters_of]
    found = log.cluster.topics(ours)
    if not found:
        raise Refusal(f"there is no topic {ours[0]}; make it with hm topics apply, or say --topic")
    return [found[topic] for topic in ours if topic in found]


def by_filter(log: Log, name: str | None, wanted: Filter, keep_values: bool) -> list[Shelf]:
    """All letters that the filter means."""
    now, shelves = datetime.now(UTC), []
    for topic in topics_of(log, name):
        view, ranges = _viewed(log, topic, keep_values)
        shelves.append(Shelf(topic, view, ranges, [letter for letter in view.letters() if wanted(letter, now)]))
    return shelves


def by_refs(log: Log, texts: Sequence[str]) -> list[Shelf]:
    """The letters that were named.

    Raises:
        Refusal: one is not there, or is written in another form.
    """
    refs: dict[TopicInfo, list[Ref]] = {}
    for ref in dict.fromkeys(map(Ref.parse, texts)):
        topic = _dead_letter_topic(log, ref.topic)
        refs.setdefault(topic, []).append(Ref(topic.name, ref.partition, ref.offset))
    return [_shelf(log, topic, wanted) for topic, wanted in refs.items()]


def one(log: Log, text: str) -> Letter:
    """The letter that stands there, dropped or not.

    Raises:
        Refusal: none does.
    """
    ref = Ref.parse(text)
    topic = _dead_letter_topic(log, ref.topic)
    begin, end = log.whole(topic).get(ref.partition, (0, 0))
    if begin <= ref.offset < end:
        for record in log.read(topic, {ref.partition: (ref.offset, ref.offset + 1)}):
            if record.value is None and not is_dead_letter(record.headers):
                raise Refusal(f"at {ref} stands a null, by which a dead letter was dropped")
            return Letter(record, read_why(record.headers))
    raise _missing(ref)


def check_choice(refs: Sequence[str], everything: bool, wanted: Filter) -> None:
    """Whether a command that changes things says which letters it means, and says it once.

    Raises:
        Refusal: it does not.
    """
    ways = [bool(refs), everything, not wanted.empty]
    if not any(ways):
        raise Refusal("say which: TOPIC:PARTITION:OFFSET as hm dlq list shows it, a filter such as --class, or --all")
    if ways[0] and any(ways[1:]):
        raise Refusal("name letters one by one, or by --all and filters, but not both")


def _shelf(log: Log, topic: TopicInfo, refs: Iterable[Ref]) -> Shelf:
    view, ranges = _viewed(log, topic, keep_values=True)
    there = {letter.ref: letter for letter in view.letters()}
    for ref in refs:
        if ref not in there:
            raise _missing(ref)
    return Shelf(topic, view, ranges, [there[ref] for ref in refs])


def _dead_letter_topic(log: Log, name: str) -> TopicInfo:
    """The topic of this name, ours only if it is for dead letters: a null in another of ours deletes what it holds."""
    topic = log.topic(name)
    ours = topic.name.removeprefix(log.settings.topic_prefix)
    if any(_is_of(spec, ours) for spec in load_registry() if not spec.dead_letters_of):
        raise Refusal(f"topic {topic.name} is not for dead letters; hm dlq list shows those that there are")
    return topic


def _is_of(spec: TopicSpec, name: str) -> bool:
    return name == spec.name or (spec.one_for_each is not None and name.startswith(f"{spec.name}."))


def _viewed(log: Log, topic: TopicInfo, keep_values: bool) -> tuple[View, dict[int, tuple[int, int]]]:
    """What the topic says; refused where it has records, and none of them says that it died."""
    view, ranges = log.view(topic, keep_values)
    letters = list(view.letters())
    if letters and not any(is_dead_letter(letter.record.headers) for letter in letters):
        raise Refusal(
            f"topic {topic.name} holds no dead letters: no record of it has the headers that Kafka Connect, "
            "Kafka Streams or Spring writes"
        )
    return view, ranges


def _missing(ref: Ref) -> Refusal:
    return Refusal(f"no dead letter stands at {ref}: it was dropped or has gone, or never stood there; see hm dlq list")
