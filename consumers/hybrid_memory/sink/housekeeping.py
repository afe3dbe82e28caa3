"""What the sink does now and then: flush, delete what has expired, forget old tombstones, say that it still follows."""

import time
from dataclasses import dataclass, field

from hybrid_memory.index.store import Progress, VectorStore
from hybrid_memory.runtime.settings import SinkSettings
from hybrid_memory.schemas import MemoryDeleted, encode_memory, partition_of, split_memory_key
from hybrid_memory.sink.session import SOURCE, Session

_AT_ONCE = 500


@dataclass(slots=True)
class Housekeeping:
    """Due work is done between two steps, a bounded piece at a time. Monotonic seconds are its clock."""

    store: VectorStore
    settings: SinkSettings
    delete_retention_ms: int
    _flushed: float = field(default_factory=time.monotonic)
    _kept: float = 0.0

    def tick(self, session: Session) -> None:
        """Do what is due.

        Raises:
            Unavailable: Kafka or the store is away; it stays due.
        """
        now = time.monotonic()
        if now - self._flushed >= self.settings.flush_seconds:
            self.store.flush()
            self._flushed = now
        if now - self._kept >= self.settings.housekeeping_seconds:
            self.keep(session)
            self._kept = now

    def keep(self, session: Session) -> None:
        """Expiry, tombstones, lag, and the time at which the index last followed the log."""
        now_ms = int(time.time() * 1000)
        if session.caught_up and not session.silent:
            self._expire(session, now_ms)
        self.store.purge(now_ms - self.delete_retention_ms)
        if session.caught_up:
            self.store.advance(Progress(session.positions, now_ms))
            session.reader.commit(session.positions)  # Kafka forgets, in a week, what nobody repeats
        for topic, lag in session.reader.lag().items():
            session.metrics.lag.labels(f"hm-sink-{session.index_id}", topic).set(lag)

    def _expire(self, session: Session, now_ms: int) -> None:
        """Append the delete of what expired a while ago, unless something newer is said of it meanwhile."""
        due = self.store.expired(now_ms - int(self.settings.expiry_grace_seconds * 1000), _AT_ONCE)
        memories = session.topics.memories
        deletes = []
        for point in due:
            if (memories.name, partition_of(point.key, memories.partitions)) not in session.positions:
                continue  # it is another sink's
            user_id, memory_id = split_memory_key(point.key)
            event = MemoryDeleted(user_id=user_id, memory_id=memory_id)
            deletes.append(encode_memory(event, if_seq=point.seq, source=SOURCE))
        session.publisher.send_all(deletes)
