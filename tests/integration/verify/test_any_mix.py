"""Any mix of writes, facts, replays, promotions, reverts, compaction, rebuilds and stops: `hm verify` finds the index
equal to the log, and an index that is built from what compaction leaves shows the same.

`HM_TEST_EXAMPLES` says how many mixes are tried (1), `HM_TEST_STEPS` how long each is (20), `HM_TEST_SEED` which random
numbers (new ones; they are printed). What was done is printed step by step where it fails.
"""

import os
import random
import threading
import uuid
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hybrid_memory.replay.job import Job
from hybrid_memory.replay.promote import promote
from hybrid_memory.replay.revert import revert
from hybrid_memory.replay.starting import ReplayRequest
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import SinkSettings, load_settings
from hybrid_memory.schemas import (
    CLASSIFIED,
    MEMORIES,
    Memory,
    MemoryDeleted,
    NewRecord,
    encode_memory,
    fact_key,
    memory_key,
)
from hybrid_memory.schemas.replays import ReplayFilters
from tests.integration.replay.world import make_topics
from tests.integration.sink.world import World
from tests.integration.verify.mix import BAD, Mix

EXAMPLES = int(os.environ.get("HM_TEST_EXAMPLES", "1"))
STEPS = int(os.environ.get("HM_TEST_STEPS", "20"))
SEED = int(os.environ.get("HM_TEST_SEED") or random.randrange(10**6))
_CHECK_EVERY = 8
_SINK = SinkSettings(flush_seconds=600, housekeeping_seconds=0.2, expiry_grace_seconds=0, brake_share=1)

users = st.sampled_from(["ann", "bob"])
ids = st.sampled_from([None, "m0", "m1", "m2"])  # None: the id that the text gives
texts = st.sampled_from(["I drink tea", "I  drink TEA", "I moved to Oslo", f"this {BAD}"])
own = st.sampled_from([None, None, None, ("own",), ()])
memories = st.builds(
    lambda user_id, memory_id, text, classifiers, pinned: Memory.new(
        user_id=user_id,
        memory_id=memory_id,
        text=text,
        classifiers=classifiers,
        pinned=pinned and classifiers is not None,
    ),
    users,
    ids,
    texts,
    own,
    st.booleans(),
)
some = st.lists(memories, min_size=1, max_size=5)
ages = st.integers(0, 5)


class AnyMix(RuleBasedStateMachine):
    def __init__(self, kafka: str, folder: Path) -> None:
        super().__init__()
        self.stack = ExitStack()
        place = folder / uuid.uuid4().hex[:8]
        place.mkdir()
        made = load_settings(
            kafka={"bootstrap_servers": kafka},
            topic_prefix=f"{place.name}.",
            data_dir=place,
            embedder={"kind": "hash"},
            classifier={"kind": "rules"},
            expect_stream=True,
        ).model_copy(update={"sink": _SINK})
        make_topics(made, 2)
        self.mix = Mix(World(made, place, self.stack.enter_context(Publisher(made))))
        self.stack.callback(self.mix.stop)
        self.mix.start()
        self.shadows: list[Job] = []
        self.live: list[Job] = []
        self.steps = 0
        self.compacted = self.rebuilt = 0  # these take seconds

    @initialize(some=st.lists(memories, min_size=5, max_size=8))
    def begin(self, some: list[Memory]) -> None:
        """So that there is something to all that follows."""
        self.mix.remember(*some)
        self.mix.classify(self.mix.sent[::2], 1)
        self.mix.settle()
        self.shadows.append(self.mix.replay(ReplayRequest(shadow=True)))

    # live writes

    @rule(some=some)
    def add(self, some: list[Memory]) -> None:
        self.mix.remember(*some)

    @precondition(lambda self: self.mix.sent)
    @rule(age=ages, text=texts, back=ages)
    def edit(self, age: int, text: str, back: int) -> None:
        """Of one of the last memories, as somebody read it some versions ago: it may be refused."""
        _, memory = self._lately(age)
        seqs = [at.offset for at, one in self.mix.sent if one.key == memory.key]
        edited = memory.model_copy(update={"text": text})
        self.mix.write(encode_memory(edited, if_seq=seqs[-1 - back % len(seqs)]))

    @precondition(lambda self: self.mix.sent)
    @rule(age=ages, conditional=st.booleans())
    def delete(self, age: int, conditional: bool) -> None:
        at, memory = self._lately(age)
        event = MemoryDeleted(user_id=memory.user_id, memory_id=memory.memory_id)
        self.mix.write(encode_memory(event, if_seq=at.offset if conditional else None))

    @rule(memory=memories)
    def add_what_has_expired(self, memory: Memory) -> None:
        past = datetime.now(UTC) - timedelta(minutes=1)
        self.mix.remember(memory.model_copy(update={"expires_at": past}))

    @rule(user=users, memory_id=st.sampled_from(["m0", "m1"]))
    def poison(self, user: str, memory_id: str) -> None:
        self.mix.write(NewRecord(MEMORIES, memory_key(user, memory_id).encode(), b"{not json"))

    # facts

    @precondition(lambda self: self.mix.sent)
    @rule(count=st.integers(1, 6), generation=st.integers(1, 2), rules=st.booleans())
    def classify(self, count: int, generation: int, rules: bool) -> None:
        self.mix.classify(self.mix.sent[-count:], generation, rules)

    @precondition(lambda self: self.mix.sent)
    @rule(age=ages, generation=st.integers(1, 3))
    def poison_fact(self, age: int, generation: int) -> None:
        """Under the key of a fact that may be there."""
        at, memory = self._lately(age)
        key = fact_key(memory.key, at.offset, generation)
        self.mix.write(NewRecord(CLASSIFIED, key.encode(), b"{not json", partition=at.partition))

    # replays

    @rule(
        shadow=st.booleans(),
        generation=st.sampled_from([None, None, 1, 2]),
        user=st.sampled_from([(), ("ann",)]),
        stale=st.booleans(),
        meanwhile=st.lists(memories, max_size=5),
    )
    def replay(
        self, shadow: bool, generation: int | None, user: tuple[str, ...], stale: bool, meanwhile: list[Memory]
    ) -> None:
        filters = ReplayFilters(users=user, stale=stale or generation is not None)

        def write() -> None:
            for memory in meanwhile:
                self.mix.remember(memory)

        writer = threading.Thread(target=write)
        writer.start()
        job = self.mix.replay(ReplayRequest(filters, generation=generation, shadow=shadow))
        writer.join()
        (self.shadows if shadow else self.live).append(job)

    @precondition(lambda self: self.shadows)
    @rule(which=st.integers(0, 9))
    def promote(self, which: int) -> None:
        job = self.shadows[which % len(self.shadows)]
        assert promote(self.mix.settings, job.id).state == "promoted"
        if job not in self.live:
            self.live.append(job)

    @precondition(lambda self: self.live)
    @rule(which=st.integers(0, 9))
    def revert(self, which: int) -> None:
        job = self.live[which % len(self.live)]
        assert revert(self.mix.settings, job.id).state == "reverted"
        self.shadows = [other for other in self.shadows if other is not job]  # it cannot be promoted any more

    # log and index

    @precondition(lambda self: self.compacted < STEPS // 10)
    @rule()
    def compact(self) -> None:
        self.compacted += 1
        self.mix.compact()

    @precondition(lambda self: self.rebuilt < STEPS // 20)
    @rule()
    def rebuild(self) -> None:
        self.rebuilt += 1
        self.mix.rebuild()

    @rule()
    def stop_or_start_the_sink(self) -> None:
        if self.mix.served is None:
            self.mix.start()
        else:
            self.mix.stop()

    # what must hold

    @invariant()
    def now_and_then(self) -> None:
        self.steps += 1
        if self.steps % _CHECK_EVERY == 0:
            self.check()

    def check(self) -> None:
        self.mix.settle()
        report = self.mix.verified()
        assert (report.kinds, report.behind, report.changing) == ({}, [], 0), report.examples
        assert report.equal

    def teardown(self) -> None:
        with self.stack:
            self.check()
            self.mix.classify_rest()
            shown = self.mix.shown()
            assert self.mix.facts_left() <= {(key, *one.point.fact) for key, one in shown.items() if one.point.fact}
            self.mix.compact()
            self.check()
            rolled = {key: one for key, one in self.mix.shown().items() if not key.startswith("roll/")}
            assert rolled == {key: one for key, one in shown.items() if not key.startswith("roll/")}
            assert bare(self.mix.fresh("fresh")) == bare(self.mix.shown())

    def _lately(self, age: int) -> Any:
        return self.mix.sent[-1 - age % len(self.mix.sent)]


def bare(shown: dict[str, Any]) -> dict[str, Any]:
    """Without vectors, which are rounded."""
    return {key: replace(one, vectors=None) for key, one in shown.items()}


@pytest.mark.timeout(120 + 60 * EXAMPLES)
def test_after_any_mix_the_index_is_equal_to_the_log(kafka: str, tmp_path: Path) -> None:
    print(f"HM_TEST_SEED={SEED} HM_TEST_EXAMPLES={EXAMPLES} HM_TEST_STEPS={STEPS}")

    def machine() -> AnyMix:
        return AnyMix(kafka, tmp_path)

    run_state_machine_as_test(
        seed(SEED)(machine),  # type: ignore[arg-type]
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # what fails depends on Kafka's moments too, so nothing can be shrunk
            suppress_health_check=list(HealthCheck),
        ),
    )
