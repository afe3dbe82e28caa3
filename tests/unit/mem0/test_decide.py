"""What is owed to `memories`, against an obvious model; and when a bulk read may be believed."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.mem0.decide import Held, Pinned, owed
from hybrid_memory.mem0.heard import Heard
from hybrid_memory.mem0.mapping import Rule, fingerprint, to_memory
from hybrid_memory.mem0.states import Mem0Memory
from hybrid_memory.schemas import Memory, MemoryDeleted
from hybrid_memory.schemas.mem0 import Mem0Hint, Mem0Read, Mem0Scope

RULE = Rule("p")
NOW = datetime(2026, 8, 1, tzinfo=UTC)
USERS, TEXTS = st.sampled_from(["maya", "noor", "iris"]), st.sampled_from(["Oslo", "Lisbon", "Porto"])
STATES = st.none() | st.builds(lambda user, text: Mem0Memory("a-1", text, Mem0Scope(user_id=user)), USERS, TEXTS)
LOGS = st.dictionaries(USERS, st.none() | TEXTS, max_size=3)


def print_of(user_id: str, text: str) -> bytes:
    return fingerprint(to_memory(Mem0Memory("a-1", text, Mem0Scope(user_id=user_id)), RULE), RULE)


@given(STATES, LOGS)
def test_afterwards_the_log_says_what_mem0_says_and_nothing_more_is_owed(
    state: Mem0Memory | None, log: dict[str, str | None]
) -> None:
    def held() -> list[Held]:
        return [Held(user, 1, None if text is None else print_of(user, text)) for user, text in log.items()]

    events = owed("a-1", state, held(), RULE, NOW)
    for event in events:
        before = log.get(event.user_id)
        log[event.user_id] = event.text if isinstance(event, Memory) else None
        assert log[event.user_id] != before  # each had a cause
    wanted = {} if state is None else {str(state.scope.user_id): state.text}
    assert {user: text for user, text in log.items() if text is not None} == wanted
    assert owed("a-1", state, held(), RULE, NOW) == []


def test_a_change_of_owner_deletes_what_the_old_one_had() -> None:
    held = [Held("maya", 1, print_of("maya", "Oslo"))]
    state = Mem0Memory("a-1", "Oslo", Mem0Scope(user_id="noor"))
    deleted, written = owed("a-1", state, held, RULE, NOW)
    assert deleted == MemoryDeleted(user_id="maya", memory_id="a-1")
    assert written.user_id == "noor"


def test_pinned_classifiers_stay_with_their_text_alone() -> None:
    held = [Held("maya", 1, b"another print", Pinned("Oslo", ("home",)))]
    [kept] = owed("a-1", Mem0Memory("a-1", "oslo ", Mem0Scope(user_id="maya")), held, RULE, NOW)
    assert isinstance(kept, Memory)
    assert (kept.classifiers, kept.pinned) == (("home",), True)
    [new] = owed("a-1", Mem0Memory("a-1", "Lisbon", Mem0Scope(user_id="maya")), held, RULE, NOW)
    assert isinstance(new, Memory)
    assert (new.classifiers, new.pinned) == (None, False)


def bulk(end: int, mem0_id: str = "a-1") -> Mem0Hint:
    return Mem0Hint(mem0_id=mem0_id, door="sync", at=NOW, read=Mem0Read(memory={}, hints_end=end))


def plain(mem0_id: str = "a-1") -> Mem0Hint:
    return Mem0Hint(mem0_id=mem0_id, door="webhook", at=NOW)


def test_a_bulk_read_is_believed_unless_a_later_hint_came_before_it() -> None:
    heard = Heard()
    assert not heard.note(0, 10, plain())
    assert not heard.note(0, 11, bulk(10))  # read before the hint at 10
    assert heard.note(0, 12, bulk(11))
    assert heard.note(0, 13, bulk(11, "another"))
    assert not heard.note(0, 14, bulk(15))  # it cannot have been


def test_what_others_took_before_us_is_not_vouched_for() -> None:
    heard = Heard()
    assert not heard.note(0, 10, bulk(9))
    assert heard.note(0, 11, bulk(10))
    heard.begin(0)
    assert not heard.note(0, 20, bulk(19))
    assert heard.note(1, 0, bulk(0))


def test_what_is_forgotten_is_not_vouched_for_either() -> None:
    heard = Heard(most=2)
    for offset, mem0_id in enumerate(["a", "b", "c"]):
        heard.note(0, offset, plain(mem0_id))
    assert not heard.note(0, 3, bulk(0, "a"))
    assert heard.note(0, 4, bulk(1, "a"))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.sampled_from("ab")), max_size=12), st.integers(1, 3))
def test_never_believed_where_a_hint_since_the_read_was_taken(steps: list[tuple[bool, int, str]], most: int) -> None:
    heard, taken = Heard(most), list[tuple[int, str]]()
    for offset, (is_bulk, back, mem0_id) in enumerate(steps):
        end = max(0, offset - back)
        believed = heard.note(0, offset, bulk(end, mem0_id) if is_bulk else plain(mem0_id))
        if believed:
            assert not [at for at, other in taken if other == mem0_id and at >= end]
        if not is_bulk:
            taken.append((offset, mem0_id))
