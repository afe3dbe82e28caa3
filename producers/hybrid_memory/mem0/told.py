"""What was dead-lettered already: of which memories, in which state. The dead letters themselves say so, so that it
holds after a restart and on any machine, for as long as they are kept."""

from hybrid_memory.mem0.mapping import digest
from hybrid_memory.mem0.states import Mem0Memory
from hybrid_memory.runtime.deadletters import PREFIX, STATE
from hybrid_memory.runtime.reading import Log
from hybrid_memory.schemas.mem0 import MEM0_HINTS


def state_of(said: Mem0Memory | str) -> str:
    """The fingerprint of a memory that cannot be one here, or of Mem0's words where it would not say."""
    if isinstance(said, str):
        return digest(said).hex()
    try:
        return digest([said.text, said.scope.model_dump(), dict(said.metadata)]).hex()
    except RecursionError:  # nested so deep that only the rest can be told apart
        return digest([said.text, said.scope.model_dump()]).hex()


class Told:
    """Follows the dead letters of `mem0.hints`. Not thread-safe.

    One that was dropped still counts as long as the topic has it: whoever dropped it knows.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._states: dict[str, str] = {}
        self._next: dict[int, int] = {}

    def catch_up(self) -> None:
        """Read all that there is at this moment.

        Raises:
            Unavailable: Kafka does not answer; call it again.
            Refusal: the topic is missing.
        """
        topic = self._log.topic(self._log.settings.topic_prefix + PREFIX + MEM0_HINTS)
        new = {
            number: (max(begin, self._next.get(number, 0)), end)
            for number, (begin, end) in self._log.whole(topic).items()
        }
        for record in self._log.read(topic, new):
            if record.key is not None and (state := record.header(STATE)) is not None:
                self._states[record.key.decode(errors="replace")] = state
        self._next = {number: end for number, (_, end) in new.items()}

    def has(self, mem0_id: str, state: str) -> bool:
        """Whether the last dead letter of this memory is about this state of it."""
        return self._states.get(mem0_id) == state
