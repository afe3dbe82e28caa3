"""What every reader of Mem0's platform begins with: the platform, its project, and the topic of hints."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hybrid_memory.mem0.mapping import Rule
from hybrid_memory.mem0.patience import until_done
from hybrid_memory.mem0.platform_api import PlatformApi
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.kafka import Cluster, TopicInfo
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.reading import Log
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import CLASSIFIED, MEMORIES
from hybrid_memory.schemas.mem0 import MEM0_HINTS

_PATIENCE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Opened:
    """A platform that lets us in, and a Kafka that has the topic of hints."""

    settings: Settings
    api: PlatformApi
    project: str
    rule: Rule
    log: Log
    hints: TopicInfo
    publisher: Publisher


@contextmanager
def opened(settings: Settings, stop: threading.Event | None = None) -> Iterator[Opened]:
    """Ask both whether they are there, and close them in the end. With `stop`, wait until they are.

    Raises:
        Refusal: one of them does not let us in, lacks something, or cannot be reached; nothing was changed.
        Stopped: `stop` was set before they were there.
    """
    with PlatformApi(settings.mem0) as api:
        if stop is None:
            project, log, hints = _ask_briefly(settings, api)
        else:
            # Beside a system that starts, topics that are missing will be made.
            project, log, hints = until_done(lambda: _ask(settings, api, Unavailable), stop)
        with Publisher(settings) as publisher:
            yield Opened(settings, api, project, Rule.of(settings.mem0, project), log, hints, publisher)


def _ask_briefly(settings: Settings, api: PlatformApi) -> tuple[str, Log, TopicInfo]:
    """As `_ask`, more than once: a platform that is merely busy answers within seconds."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return _ask(settings, api)
        except Unavailable as error:
            wait = min(error.retry_after, 0.5)
            if time.monotonic() + wait > until:
                raise Refusal(f"{error}; nothing was changed, try again later") from None
            time.sleep(wait)


def _ask(
    settings: Settings, api: PlatformApi, without_topics: type[Refusal] | type[Unavailable] = Refusal
) -> tuple[str, Log, TopicInfo]:
    names = {settings.topic_prefix + name for name in (MEM0_HINTS, MEMORIES, CLASSIFIED)}
    missing = names - Cluster(settings).topics(names).keys()
    if missing:
        raise without_topics(f"topic {min(missing)} does not exist; make it with: hm topics apply")
    log = Log(settings, quiet=True)
    hints = log.topic(settings.topic_prefix + MEM0_HINTS)
    return api.project().project_id, log, hints
