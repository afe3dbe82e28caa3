"""What `hm rebuild` does, from the first question to the switch."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from hybrid_memory.index.embedder import Embedder
from hybrid_memory.index.embedders import make_embedder
from hybrid_memory.index.labelling import open_fast_classifier
from hybrid_memory.index.store import TopicPartition, VectorStore
from hybrid_memory.index.summary import Summary, log_name
from hybrid_memory.rebuild.build import Builder
from hybrid_memory.rebuild.compare import Row, differs
from hybrid_memory.rebuild.places import Place, place_of
from hybrid_memory.rebuild.progress import say, shown
from hybrid_memory.rebuild.showing import print_comparison
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.sink.attach import find_topics, watermark
from hybrid_memory.sink.fill import Filler
from hybrid_memory.sink.ownership import NotItsView
from hybrid_memory.sink.state import Braked, LogMoved

_FOLLOWED_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Options:
    """`switch`: go over to the new index when it is ready. `force`: though it differs. `create`: where none is."""

    switch: bool = True
    force: bool = False
    create: bool = False


def rebuild(settings: Settings, options: Options) -> int:
    """Build the next generation, or go on with it, compare it, and switch over; the exit code: 1 where it was stopped.

    Raises:
        Refusal: what was asked cannot be done; nothing was changed, or the new index stays as it is, to go on with.
        Unavailable: something has gone away meanwhile; call it again.
    """
    place = place_of(settings)
    try:
        with told_to_stop() as stop:
            known = known_positions(settings, place)
            name = place.generations.next()
            again = name in place.generations.names()
            if not (again or options.create):
                _check_there(place)
            embedder = make_embedder(settings)
            say(f"{'going on with' if again else 'building'} {place.describe(name)}; what serves goes on")
            store = _opened(place, name, embedder.dimensions, again)
            try:
                serving = _built(settings, options, place, name, store, embedder, known, stop)
            finally:
                store.close()
            if stop.is_set():
                say("stopped; hm rebuild goes on from here")
                return 1
            if options.switch:
                _switch(place, name, serving, embedder.name)
            else:
                say(f"{place.describe(name)} is ready; hm rebuild catches up and switches over to it")
            return 0
    finally:
        place.close()


def known_positions(settings: Settings, place: Place) -> Mapping[TopicPartition, int]:
    """How far the serving index has come, once it is known that another can be built.

    Raises:
        Refusal: something is away, an older generation is still kept, or no index follows this log.
    """
    try:
        if (kept := place.generations.kept()) is not None:
            raise Refusal(f"{place.describe(kept)} is still kept; drop it first with: hm rebuild drop")
        cluster = Cluster(settings, 5)
        topics = find_topics(cluster, settings.topic_prefix)
        published = watermark(cluster, topics)
        serving, current = None, place.generations.current()
        if not published or place.held(current):  # Kafka forgets in a week what nobody repeats
            with suppress(Refusal):  # compared later, and said then
                serving = place.look(current, 0, 0)
    except Unavailable as error:
        raise Refusal(f"{error}; nothing was changed") from None
    ours = log_name((topic.name, topic.topic_id) for topic in (topics.memories, topics.classified))
    known = serving.after if serving is not None and serving.log == ours else {}
    if not published and not known:
        raise Refusal("no index follows this log yet, so there is none to build anew; start one with: hm serve")
    return known


def _check_there(place: Place) -> None:
    current = place.generations.current()
    if current not in place.generations.names():
        raise Refusal(
            f"{place.describe(current)} does not exist, so there is no index to build anew; say where it is "
            "(--data-dir, --qdrant-url) or, where it was lost, build one with: hm rebuild --create"
        )


def _opened(place: Place, name: str, dimensions: int, again: bool) -> VectorStore:
    if place.held(name):
        raise Refusal(f"{place.describe(name)} is in use by another process; is it being built already?")
    try:
        return place.create(name, dimensions)
    except Refusal as error:
        raise _not_to_go_on_with(place, name, str(error)) if again else error from None


def _not_to_go_on_with(place: Place, name: str, why: str) -> Refusal:
    begun = f"{place.describe(name)} was begun and cannot be gone on with"
    return Refusal(f"{begun}: {why}; drop it with: hm rebuild drop")


def _built(
    settings: Settings,
    options: Options,
    place: Place,
    name: str,
    store: VectorStore,
    embedder: Embedder,
    known: Mapping[TopicPartition, int],
    stop: threading.Event,
) -> Summary | None:
    """Fill and compare it; the serving index, where there is one."""
    try:
        with Filler(settings, store, embedder, open_fast_classifier(settings, embedder)) as filler:
            builder = Builder(place, store, filler, stop, known)
            with shown("rebuild") as show:
                if not builder.fill(show):
                    return None
            serving, rows = builder.compare()
    except NotItsView as error:
        raise _not_to_go_on_with(place, name, error.what) from None
    except (LogMoved, Braked) as error:
        raise Refusal(f"the log cannot be applied: {error}") from None
    except Unavailable as error:
        raise Unavailable(f"{error}; hm rebuild goes on from here") from None
    if not stop.is_set():
        _check(serving, rows, options)
    return serving


def _check(serving: Summary | None, rows: Sequence[Row], options: Options) -> None:
    """Show the comparison, and refuse to go on where it differs."""
    if serving is None:
        say("there is no index to compare it with")
        return
    print_comparison(rows)
    if differs(rows) and not options.force:
        raise Refusal(
            "the new index does not say what the one that serves says, so nothing was switched; "
            "see what the log says with hm verify, then switch with --force, or drop it with: hm rebuild drop"
        )


def _switch(place: Place, name: str, serving: Summary | None, embedder: str) -> None:
    before = place.generations.current()
    place.generations.switch(name)
    kept = "; the one before is kept until: hm rebuild drop" if before in place.generations.names() else ""
    say(f"{place.describe(name)} is the index now{kept}")
    say(_who_follows(place, before, serving, embedder))


def _who_follows(place: Place, before: str, serving: Summary | None, embedder: str) -> str:
    if serving is not None and serving.embedder != embedder:
        return (
            f"what serves with {serving.embedder} goes on with the one before; start it again with the settings that "
            "this command had"
        )
    if place.held(before):
        if wait_until(lambda: not place.held(before), _FOLLOWED_SECONDS):
            return "hm serve has gone over to it"
        return "hm serve has not gone over to it yet; its log says why"
    return "what serves goes over to it within seconds, or when it starts"


@contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """An event that is set by Ctrl-C or SIGTERM while the context lasts; a second one ends the process as ever."""
    stop, before = threading.Event(), {sign: signal.getsignal(sign) for sign in (signal.SIGINT, signal.SIGTERM)}

    def heard(sign: int, frame: object) -> None:  # noqa: ARG001
        stop.set()
        signal.signal(sign, before[signal.Signals(sign)])

    in_main = threading.current_thread() is threading.main_thread()
    for sign in before if in_main else ():
        signal.signal(sign, heard)
    try:
        yield stop
    finally:
        for sign, handler in before.items() if in_main else ():
            signal.signal(sign, handler)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true in so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
