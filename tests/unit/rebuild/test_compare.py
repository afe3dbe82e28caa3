"""What may differ between two indexes, and what may not."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from hybrid_memory.index.summary import Summary, Version, from_json, to_json
from hybrid_memory.rebuild.compare import Row, compare, differs

HERE = ("memories", 0)
SAMPLE: Mapping[str, Version] = {"ann/a": (1, 0), "ann/b": (5, 2)}
SERVING = Summary("minilm", "memories id", 10, 2, 3, SAMPLE, {HERE: 7}, {HERE: 7})


def found(**others: Version | None) -> dict[str, Version | None]:
    return {**SAMPLE, **{f"ann/{name}": version for name, version in others.items()}}


def rows(new: Summary = SERVING, serving: Summary = SERVING, ahead: int = 0, **others: Version | None) -> list[Row]:
    return compare(serving, new, found(**others), ahead)


def test_the_same_is_the_same() -> None:
    assert not differs(rows())


@pytest.mark.parametrize("field", ["memories", "users", "tombstones"])
def test_a_figure_may_differ_by_what_was_written_meanwhile(field: str) -> None:
    other = replace(SERVING, **{field: getattr(SERVING, field) + 2})
    assert differs(rows(other))
    assert not differs(rows(other, ahead=2))
    assert differs(rows(other, ahead=1))
    assert not differs(rows(other, replace(SERVING, after={HERE: 9})))
    assert differs(rows(other, replace(SERVING, after={HERE: 8})))


@pytest.mark.parametrize("version", [(1, 1), (2, 0), None])
def test_a_point_may_be_newer_only_where_somebody_writes(version: Version | None) -> None:
    assert differs(rows(a=version))
    assert not differs(rows(a=version, ahead=1))


@pytest.mark.parametrize("version", [(4, 9), (5, 1)])
def test_a_point_may_never_be_older(version: Version) -> None:
    assert differs(rows(b=version, ahead=100))


def test_a_point_may_never_be_missing() -> None:
    assert differs(compare(SERVING, SERVING, {"ann/a": (1, 0)}, 100))


def test_another_log_is_another_index() -> None:
    assert differs(rows(replace(SERVING, log="memories another id"), ahead=100))


def test_a_summary_survives_json() -> None:
    assert from_json(to_json(SERVING)) == SERVING
