"""What the writers publish: for each memory a short life, decided beforehand by a seed. Pure."""

import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Key:
    user_id: str
    memory_id: str


@dataclass(frozen=True, slots=True)
class Step:
    """One version of a memory; `text` None deletes it."""

    key: Key
    text: str | None


@dataclass(slots=True)
class Ledger:
    """The last version of each memory that was confirmed, and the offset that its writer was told."""

    last: dict[Key, tuple[str | None, int]] = field(default_factory=dict)

    def confirm(self, step: Step, offset: int) -> None:
        self.last[step.key] = (step.text, offset)

    def live(self) -> dict[Key, tuple[str, int]]:
        """What must be there at the end: text and seq."""
        return {key: (text, offset) for key, (text, offset) in self.last.items() if text is not None}

    def counts(self) -> dict[str, int]:
        """Live memories of each user who has any."""
        counts: dict[str, int] = {}
        for key in self.live():
            counts[key.user_id] = counts.get(key.user_id, 0) + 1
        return counts


def lives(rng: random.Random, users: int, memories: int) -> dict[str, list[deque[Step]]]:
    """The steps of each user's memories: every one is made, many are changed, some are deleted, some come back."""
    found: dict[str, list[deque[Step]]] = {}
    for number in range(memories):
        key = Key(f"user {number % users}", f"memory/{number}")
        found.setdefault(key.user_id, []).append(deque(_life(rng, key)))
    return found


def _life(rng: random.Random, key: Key) -> Iterator[Step]:
    yield _version(rng, key, 1)
    for version in range(2, rng.choice([2, 2, 2, 3, 4])):
        yield _version(rng, key, version)
    if rng.random() < 0.2:
        yield Step(key, None)
        if rng.random() < 0.3:
            yield _version(rng, key, 9)


def _version(rng: random.Random, key: Key, version: int) -> Step:
    words = " ".join(rng.choices(_WORDS, k=6))
    return Step(key, f"{key.memory_id} of {key.user_id}, version {version}: {words}")


def rounds(rng: random.Random, memories: Sequence[deque[Step]]) -> Iterator[list[Step]]:
    """All steps, in lists to be sent at once: each memory's in order, and one step of a memory a list at most."""
    open_ = [life for life in memories if life]
    while open_:
        chosen = rng.sample(open_, min(len(open_), rng.choice([1, 1, 1, 1, 5, 20])))
        yield [life.popleft() for life in chosen]
        open_ = [life for life in open_ if life]


_WORDS = ["tea", "sushi", "running", "Oslo", "jazz", "films", "dog", "garden", "chess", "piano", "bread", "lake"]
