"""What the fake platform holds: memories, their history, and what its filters mean. Thread-safe."""

import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

Row = dict[str, Any]
Notice = Callable[[Row], None]
ENTITIES = ("user_id", "agent_id", "app_id", "run_id")
_FIELDS = {"session_id": "run_id"}
_RANGES: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "ne": lambda a, b: a != b,
    "in": lambda a, b: a in b,
    "contains": lambda a, b: b in (a or []),
}


class Store:
    """`notice` hears of each change, as an entry of the history, after it is made and under no lock."""

    def __init__(self, notice: Notice = lambda event: None) -> None:
        self._lock = threading.RLock()
        self._rows: dict[str, Row] = {}
        self._events: list[Row] = []
        self._notice = notice

    def add(self, text: str, body: Mapping[str, Any]) -> Row:
        now = _now()
        row: Row = {
            "id": str(uuid.uuid4()),
            "memory": text,
            **{entity: body.get(entity) for entity in ENTITIES},
            "metadata": body.get("metadata"),
            "categories": list(body.get("test_categories") or []),
            "expiration_date": body.get("expiration_date"),
            "replaced_by": None,
            "lifecycle_state": "active",
            "created_at": now,
            "updated_at": now,
        }
        with self._lock:
            self._rows[row["id"]] = row
            event = self._record("ADD", row, None)
        self._notice(event)
        return dict(row)

    def change(self, memory_id: str, event: str = "UPDATE", **fields: Any) -> Row | None:
        """Change these fields; None: there is no such memory. `event` None says nothing to anybody."""
        with self._lock:
            row = self._rows.get(memory_id)
            if row is None:
                return None
            old = row["memory"]
            row.update(fields, updated_at=_now())
            entry = self._record(event, row, old)
        self._notice(entry)
        return dict(row)

    def retire(self, memory_id: str, state: str, replaced_by: str) -> None:
        """As the platform's background work does: without an event, without a webhook."""
        with self._lock:
            if memory_id in self._rows:
                self._rows[memory_id].update(lifecycle_state=state, replaced_by=replaced_by, updated_at=_now())

    def delete(self, memory_id: str) -> bool:
        with self._lock:
            row = self._rows.pop(memory_id, None)
            if row is None:
                return False
            event = self._record("DELETE", row, row["memory"])
        self._notice(event)
        return True

    def get(self, memory_id: str) -> Row | None:
        with self._lock:
            return dict(self._rows[memory_id]) if memory_id in self._rows else None

    def find(self, filters: Mapping[str, Any], show_expired: bool = False, latest_only: bool = False) -> list[Row]:
        """As listings show them: the last changed first, so that pages shift under whoever reads them."""
        today = datetime.now(UTC).date().isoformat()
        with self._lock:
            found = [dict(row) for row in self._rows.values() if matches(row, filters)]
        found = [row for row in found if row["lifecycle_state"] != "merged"]
        if latest_only:
            found = [row for row in found if row["lifecycle_state"] == "active"]
        if not show_expired:
            found = [row for row in found if not row["expiration_date"] or row["expiration_date"] >= today]
        return sorted(found, key=lambda row: (row["updated_at"], row["id"]), reverse=True)

    def all(self) -> list[Row]:
        """All that a listing would show, of everybody."""
        return self.find({"OR": [{entity: "*"} for entity in ENTITIES]})

    def events(self, memory_id: str | None = None) -> list[Row]:
        """The history, the newest first; its entries never change."""
        with self._lock:
            newest_first = self._events[::-1]
        return [event for event in newest_first if event["memory_id"] == memory_id] if memory_id else newest_first

    def entities(self) -> list[dict[str, Any]]:
        with self._lock:
            found = {(entity, row[entity]) for row in self._rows.values() for entity in ENTITIES if row[entity]}
            counts = {(entity, name): sum(row[entity] == name for row in self._rows.values()) for entity, name in found}
        return [
            {"id": f"{entity}-{name}", "type": entity.removesuffix("_id"), "name": name, "total_memories": count}
            for (entity, name), count in sorted(counts.items())
        ]

    def _record(self, event: str, row: Row, old: str | None) -> Row:
        entry = {
            "id": str(uuid.uuid4()),
            "memory_id": row["id"],
            "input": [],
            "old_memory": old,
            "new_memory": None if event == "DELETE" else row["memory"],
            **{entity: row[entity] for entity in ("user_id", "agent_id", "app_id")},
            "session_id": row["run_id"],
            "categories": list(row["categories"]),
            "event": event,
            "metadata": row["metadata"],
            "created_at": _now(),
            "updated_at": _now(),
        }
        if event != "CATEGORIZE":
            self._events.append(entry)
        return entry


def shown(row: Row) -> Row:
    """A row as reads by id and listings give it."""
    return {**{key: value for key, value in row.items() if key != "run_id"}, "session_id": row["run_id"]}


def matches(row: Row, filters: Mapping[str, Any]) -> bool:
    """What `filters` of the API mean."""
    return all(_holds(row, key, wanted) for key, wanted in filters.items())


def _holds(row: Row, key: str, wanted: Any) -> bool:
    if key in ("AND", "OR", "NOT"):
        parts: Iterable[bool] = [matches(row, part) for part in wanted]
        return all(parts) if key == "AND" else any(parts) if key == "OR" else not any(parts)
    value = row.get(_FIELDS.get(key, key))
    if wanted == "*":
        return value is not None
    if isinstance(wanted, Mapping) and set(wanted) <= set(_RANGES):
        return value is not None and all(
            _RANGES[name](_moment(value), _moment(bound)) for name, bound in wanted.items()
        )
    return bool(value == wanted)


def _moment(value: Any) -> Any:
    """Times compare as times, whatever their offset from UTC."""
    return _parsed(value) if isinstance(value, str) else value


@lru_cache(20_000)
def _parsed(text: str) -> datetime | str:
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        return text
    return said if said.tzinfo else said.replace(tzinfo=UTC)


def _now() -> str:
    return datetime.now(UTC).isoformat()
