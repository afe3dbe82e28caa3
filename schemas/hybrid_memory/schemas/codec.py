"""Events to records and back: CloudEvents' Kafka binding 1.0, binary mode; structured mode is read too.

Source: CloudEvents Kafka Protocol Binding v1.0.2. A binary event without data is a tombstone.
"""

import json
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hybrid_memory.schemas.errors import DecodeError, ErrorClass
from hybrid_memory.schemas.events import FactEvent, FactSuperseded, Memory, MemoryClassified, MemoryDeleted, MemoryEvent
from hybrid_memory.schemas.identity import memory_key, partition_of, split_fact_key, split_memory_key
from hybrid_memory.schemas.records import Headers, NewRecord, Record

MEMORIES = "memories"
CLASSIFIED = "memories.classified"

UPSERTED_TYPE = "io.hybrid-memory.memory.upserted.v1"
DELETED_TYPE = "io.hybrid-memory.memory.deleted.v1"
CLASSIFIED_TYPE = "io.hybrid-memory.memory.classified.v1"

IF_SEQ = "hm-if-seq"
"""Header: apply the record only where the point's seq is not higher than this."""

DEFAULT_SOURCE = "urn:hybrid-memory:client"

_V = TypeVar("_V", bound=BaseModel)
_TOO_BIG = {"string_too_long", "too_long"}


def encode_memory(
    event: MemoryEvent,
    *,
    if_seq: int | None = None,
    source: str = DEFAULT_SOURCE,
    trace: Iterable[tuple[str, bytes | None]] = (),
) -> NewRecord:
    """The record of `memories` that says `event`; with `if_seq`, only where nothing later has been said."""
    deleted = isinstance(event, MemoryDeleted)
    headers = event_headers(DELETED_TYPE if deleted else UPSERTED_TYPE, event.memory_id, source, trace)
    if if_seq is not None:
        headers += ((IF_SEQ, str(if_seq).encode()),)
    return NewRecord(MEMORIES, event.key.encode(), None if deleted else to_json(event), headers)


def encode_fact(
    event: FactEvent,
    partitions: int,
    *,
    source: str = DEFAULT_SOURCE,
    trace: Iterable[tuple[str, bytes | None]] = (),
) -> NewRecord:
    """The record of `memories.classified` that says `event`, in its memory's partition of `partitions`."""
    if isinstance(event, FactSuperseded):
        key, value = event.memory_key, None
    else:
        key, value = event.memory.key, to_json(event)
    headers = event_headers(CLASSIFIED_TYPE, split_memory_key(key)[1], source, trace)
    return NewRecord(CLASSIFIED, event.key.encode(), value, headers, partition_of(key, partitions))


def decode_memory(record: Record) -> MemoryEvent:
    """What a record of `memories` says.

    Raises:
        DecodeError: it can never be read; the message says what is wrong with which field.
    """
    user_id, memory_id = _split(record, split_memory_key)
    data = _data(record, UPSERTED_TYPE, DELETED_TYPE)
    if data is None:
        return validated(MemoryDeleted, _json({"user_id": user_id, "memory_id": memory_id}))
    memory = _dated(validated(Memory, data), record)
    if (memory.user_id, memory.memory_id) != (user_id, memory_id):
        raise DecodeError("schema", f"the key says {memory_key(user_id, memory_id)}, the value {memory.key}")
    return memory


def decode_fact(record: Record) -> FactEvent:
    """What a record of `memories.classified` says.

    Raises:
        DecodeError: as :func:`decode_memory`.
    """
    key, seq, generation = _split(record, split_fact_key)
    data = _data(record, CLASSIFIED_TYPE)
    if data is None:
        return validated(FactSuperseded, _json({"memory_key": key, "seq": seq, "generation": generation}))
    fact = validated(MemoryClassified, data)
    fact = fact.model_copy(update={"memory": _dated(fact.memory, record)})
    if (fact.memory.key, fact.seq, fact.generation) != (key, seq, generation):
        raise DecodeError("schema", f"the key says {key}@{seq}.{generation}, the value {fact.key}")
    return fact


def if_seq(record: Record) -> int | None:
    """The `hm-if-seq` of a record, or None where it has none.

    Raises:
        DecodeError: the header is not a whole number.
    """
    text = record.header(IF_SEQ)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and int(text) < 2**53):
        raise DecodeError("schema", f"header {IF_SEQ} is {text[:32]!r}, not an offset")
    return int(text)


def to_json(value: BaseModel) -> bytes:
    """A value as compact JSON, absent fields left out."""
    return value.model_dump_json(exclude_none=True).encode()


def describe(error: ValidationError) -> str:
    """A validation error in one line: each field and what is wrong with it, never the input itself."""
    parts = []
    for item in error.errors(include_input=False, include_url=False):
        where = ".".join(str(step) for step in item["loc"])
        parts.append(f"{where}: {item['msg']}" if where else item["msg"])
    return "; ".join(parts)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def event_headers(ce_type: str, subject: str, source: str, trace: Iterable[tuple[str, bytes | None]] = ()) -> Headers:
    """The headers of an event in binary mode, and those of its trace."""
    kind = ce_type.removeprefix("io.hybrid-memory.")
    event = {
        "ce_specversion": "1.0",
        "ce_id": str(uuid.uuid4()),
        "ce_source": source,
        "ce_type": ce_type,
        "ce_time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "ce_subject": subject,
        "ce_dataschema": f"urn:hybrid-memory:schema:{kind}",
        "content-type": "application/json",
    }
    return (*((name, value.encode()) for name, value in event.items()), *trace)


def _split(record: Record, split: Any) -> Any:
    if record.key is None:
        raise DecodeError("poison", "the record has no key")
    try:
        return split(record.key.decode())
    except ValueError as error:  # UnicodeDecodeError is one
        raise DecodeError("poison", f"the record's key cannot be read: {error}") from error


def _dated(memory: Memory, record: Record) -> Memory:
    """The memory, as old as its record where it does not say: two reads of one record give one answer."""
    if "created_at" in memory.model_fields_set:
        return memory
    try:
        created_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    except (OverflowError, ValueError, OSError):  # a producer's clock may say anything
        created_at = datetime.fromtimestamp(0, UTC)
    return memory.model_copy(update={"created_at": created_at})


def _data(record: Record, data_type: str, deleted_type: str | None = None) -> bytes | None:
    """The event's data as JSON bytes, or None where there is none."""
    if record.value is None:
        return None
    if (record.header("content-type") or "").lower().startswith("application/cloudevents+json"):
        return _structured_data(record.value, data_type, deleted_type)
    _check_type(record.header("ce_type") or data_type, data_type, None)
    return record.value


def _structured_data(value: bytes, data_type: str, deleted_type: str | None) -> bytes | None:
    try:
        envelope = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise DecodeError("poison", f"the value is not JSON: {error}") from error
    if not isinstance(envelope, dict):
        raise DecodeError("schema", "the structured event is not a JSON object")
    if _check_type(envelope.get("type"), data_type, deleted_type):
        return None
    if envelope.get("data") is None:  # compaction would not see a tombstone in it, so neither do we
        raise DecodeError("schema", "data: the structured event has none (data_base64 is not read)")
    return _json(envelope["data"])


def _check_type(ce_type: object, data_type: str, deleted_type: str | None) -> bool:
    """Whether the type is the one of a deletion; refuses any that is neither."""
    if ce_type not in (data_type, deleted_type) or ce_type is None:
        raise DecodeError("schema", f"type {ce_type!r} is not known here; expected {data_type}")
    return ce_type == deleted_type


def validated(model: type[_V], data: bytes) -> _V:
    """What this JSON says.

    Raises:
        DecodeError: it is no JSON, or not of this form.
    """
    try:
        return model.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise DecodeError(_class_of(error), describe(error)) from error


def _class_of(error: ValidationError) -> ErrorClass:
    kinds = {item["type"] for item in error.errors(include_input=False, include_url=False)}
    if "json_invalid" in kinds:
        return "poison"
    return "limit" if kinds <= _TOO_BIG else "schema"
