"""What could not be classified is classified again: `hm dlq redrive` makes a replay of those memories alone."""

from collections.abc import Sequence

from hybrid_memory.replay.generations import present_generation
from hybrid_memory.replay.request import request_of
from hybrid_memory.replay.starting import start_replay, topics_of
from hybrid_memory.runtime.reading import Log
from hybrid_memory.runtime.settings import Settings

_AT_ONCE = 5000  # the keys are in the job's definition, which is one record


def replay_again(settings: Settings, keys: Sequence[str]) -> str:
    """Make a replay of these memories, in the present generation: there a model's facts beat those of the rules. How to
    have it done is said in a few words.

    Raises:
        Refusal: it cannot be had; nothing was changed.
        Unavailable: Kafka does not answer.
    """
    log = Log(settings, quiet=True)
    generation = present_generation(log, topics_of(log).facts)
    parts = [keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE)]
    jobs = [start_replay(settings, request_of(keys=part, generation=generation)) for part in parts]
    return " && ".join(f"hm replay work {job.id}" for job in jobs)
