"""What every reader of Mem0's platform begins with: the platform, its project, and the topic of hints."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hybrid_memory.mem0.mapping import Rule
from hybrid_memory.mem0.platform_api import PlatformApi
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.reading import Log
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas.mem0 import MEM0_HINTS


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
def opened(settings: Settings) -> Iterator[Opened]:
    """Ask both whether they are there, and close them in the end.

    Raises:
        Refusal: one of them does not let us in, lacks something, or cannot be reached; nothing was changed.
    """
    with PlatformApi(settings.mem0) as api:
        try:
            project = api.project().project_id
            log = Log(settings, quiet=True)
            hints = log.topic(settings.topic_prefix + MEM0_HINTS)
        except Unavailable as error:
            raise Refusal(f"{error}; nothing was changed, try again later") from None
        with Publisher(settings) as publisher:
            yield Opened(settings, api, project, Rule.of(settings.mem0, project), log, hints, publisher)
