"""What the demo prints, and what it says to programs."""

import json

import pytest
from rich.console import Console, RenderableType

from hybrid_memory.demo.results import Answer, Hit, Report, Spread, Timings, Upgrade, Versions, Write, to_program
from hybrid_memory.demo.tables import answer_block, bar, numbers_table, upgrade_block, verdict, writes_table

HITS = tuple(
    Hit(memory_id=f"m{n}", text=f"Memory number {n}, " + "which says a lot " * 9, score=0.9 - n / 10) for n in range(5)
)
WRITES = (
    Write(
        action="add",
        memory_id="city",
        text="I live in Porto [by the river].",
        classifiers=("residence",),
        durable_ms=2.0,
        searchable_ms=20.0,
    ),
    Write(action="correct", memory_id="city", text="I moved.", durable_ms=3.0, searchable_ms=10.0),
    Write(action="delete", memory_id="city", text=None, durable_ms=1.0, searchable_ms=5.0),
)


def answer(*broken: str, hits: tuple[Hit, ...] = HITS) -> Answer:
    return Answer(
        title="Paraphrase",
        user_id="maya",
        context="Which one?",
        domain=None,
        look_for="the first",
        ms=1.25,
        hits=hits,
        broken=broken,
    )


def report(*answers: Answer) -> Report:
    spread = Spread.of([1.0, 2.0, 3.0], 3.0)
    return Report(
        versions=Versions(hybrid_memory="0", kafka="4", embedding_model="m", python="3"),
        timings=Timings(kafka_ready_s=1.0, ready_s=2.0, durable=spread, searchable=spread, search=spread),
        writes=WRITES,
        searches=answers,
    )


def printed(what: RenderableType, width: int = 80) -> list[str]:
    console = Console(width=width, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(what)
    return [line.rstrip() for line in capture.get().splitlines()]


@pytest.mark.parametrize("width", [60, 80, 110])
def test_no_line_is_too_long_and_none_is_broken(width: int) -> None:
    for what, lines in (
        (writes_table(WRITES), 4),
        (numbers_table(report().timings), 4),
        (answer_block(1, answer()), 6),
    ):
        shown = printed(what, width)
        assert len(shown) == lines
        assert max(map(len, shown)) <= width


def test_writes_tell_what_became_of_each() -> None:
    _, added, corrected, deleted = printed(writes_table(WRITES), 110)
    assert added.split()[0] == "+"
    assert "Porto [by the river]" in added
    assert "residence" in added
    assert corrected.split()[:3] == ["~", "I", "moved."]
    assert deleted.split()[:4] == ["−", "I", "moved.", "(deleted)"]
    assert [line.split(" ms")[0].split()[-1] for line in (added, corrected, deleted)] == ["20.0", "10.0", "5.0"]


def test_an_answer_shows_its_best_hits_and_keeps_or_breaks_its_promise() -> None:
    shown = "\n".join(printed(answer_block(1, answer())))
    assert "1 Paraphrase  “Which one?”" in shown
    assert "1.2 ms" in shown
    assert "0.90" in shown
    assert "0.60" not in shown
    assert "✓ the first" in shown
    broken = "\n".join(printed(answer_block(1, answer("it is not there"))))
    assert "✗ it is not there" in broken
    assert "✓" not in broken
    assert "nothing found" in "\n".join(printed(answer_block(1, answer(hits=()))))


def test_the_verdict_names_what_is_broken() -> None:
    assert printed(verdict([answer(), answer()])) == ["✓ All 2 searches show what they promise."]
    [line] = printed(verdict([answer(), answer("no")]))
    assert line == "✗ 1 of 2 searches do not show what they promise: Paraphrase."


def test_bars() -> None:
    assert bar(1.0, 4) == "████"
    assert bar(0.5, 4) == "██  "
    assert bar(0.3, 4) == "█▎  "
    assert bar(0.0, 4) == "▏   "
    assert bar(7.0, 4) == "████"


def test_a_spread() -> None:
    spread = Spread.of([float(n) for n in range(100, 0, -1)], 2525.0)
    assert (spread.count, spread.p50, spread.p99, spread.slowest, spread.embedder_share) == (100, 50, 99, 100, 0.5)
    assert Spread.of([4.0]).model_dump() == {
        "count": 1,
        "p50": 4.0,
        "p99": 4.0,
        "slowest": 4.0,
        "embedder_share": None,
    }


def test_for_programs() -> None:
    said = json.loads(json.dumps(to_program(report(answer(), answer("no")), 12.34567)))
    assert said["kept"] is False
    assert [search["kept"] for search in said["searches"]] == [True, False]
    assert said["timings"]["total_s"] == 12.346
    assert said["searches"][0]["hits"][2]["score"] == 0.7


def upgrade(state: str) -> Upgrade:
    return Upgrade(
        memory_id="peanuts",
        text="I carry an EpiPen, " + "always " * 20,
        before=("allergy",),
        after=("peanut allergy", "emergency medication"),
        model="Qwen2.5-0.5B-Instruct",
        state=state,
        waited_s=1.26,
    )


def test_an_upgrade_shows_before_and_after() -> None:
    lines = printed(upgrade_block(upgrade("final")))
    assert max(map(len, lines)) <= 80
    assert [line.split("  ")[-1] for line in lines[1:]] == ["allergy", "peanut allergy, emergency medication"]
    assert "after 1.3 s, by Qwen2.5-0.5B-Instruct" in lines[2]


def test_an_upgrade_that_did_not_come_breaks_the_promise() -> None:
    late = report(answer()).model_copy(update={"upgrade": upgrade("provisional")})
    assert not late.kept
    assert "✗ no model's classifiers after 1 s" in "\n".join(printed(upgrade_block(upgrade("provisional"))))
    assert printed(verdict(late.searches, late.upgrade)) == ["✗ The model did not classify in time."]
    assert report(answer()).model_copy(update={"upgrade": upgrade("final")}).kept
