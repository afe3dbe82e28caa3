"""Every example is what it says it is, to the models and to the JSON Schemas alike."""

from collections.abc import Callable

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from hybrid_memory.schemas import (
    DecodeError,
    Memory,
    MemoryClassified,
    Record,
    RegistryError,
    decode_fact,
    decode_memory,
    encode_fact,
    encode_memory,
    partition_of,
)
from hybrid_memory.schemas.examples import Example, iter_examples
from hybrid_memory.schemas.json_schema import MODELS, json_schema
from hybrid_memory.schemas.mem0 import MESSAGES as MEM0_MESSAGES
from hybrid_memory.schemas.mem0 import decode_mem0
from hybrid_memory.schemas.replays import MESSAGES, ReplayResult, decode_replay, decode_result

READERS: dict[str, Callable[[Record], object]] = {
    "memory.upserted.v1": decode_memory,
    "memory.classified.v1": decode_fact,
    **dict.fromkeys(MESSAGES.values(), decode_replay),
    "replay.result.v1": decode_result,
    **dict.fromkeys(MEM0_MESSAGES.values(), decode_mem0),
}
KEYS = {
    "memory.upserted.v1": b"maya/move",
    "memory.classified.v1": b"maya/move@1842.1",
    "replay.defined.v1": b"20260801-021455-3f9a/definition",
    "replay.wanted.v1": b"20260801-021455-3f9a/wanted",
    "replay.progressed.v1": b"20260801-021455-3f9a/progress/4",
    "replay.status.v1": b"20260801-021455-3f9a/status/4",
    "replay.outcome.v1": b"20260801-021455-3f9a/outcome",
    "replay.result.v1": b"maya/move",
    "mem0.hinted.v1": b"5f6cf60e-8f0f-4d4c-9c4e-0c6b1f2a7f3e",
    "mem0.bookmarked.v1": b"bookmark/proj_Xk3/feed",
}
# Only a reader can see these; the schemas describe them in words.
BEYOND_JSON_SCHEMA = {
    "text--white-space-only",
    "pinned--nothing-to-pin",
    "seq--not-the-origin's",
    "generation--not-the-provenance's",
    "ranges.0--backwards",
}
VALID = [(name, example) for name in MODELS for example in iter_examples(name)]
INVALID = [(name, example) for name in MODELS for example in iter_examples(name, valid=False)]


def accepts(message: str, example: Example) -> bool:
    schema = json_schema(message)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker()).is_valid(example.json())


def ids(cases: list[tuple[str, Example]]) -> list[str]:
    return [f"{message}:{example.name}" for message, example in cases]


@pytest.mark.parametrize(("message", "example"), VALID, ids=ids(VALID))
def test_a_valid_example_is_accepted_by_both(message: str, example: Example) -> None:
    assert accepts(message, example)
    value = MODELS[message].model_validate_json(example.value, strict=True)
    key = value.key.encode() if isinstance(value, Memory | MemoryClassified | ReplayResult) else KEYS[message]
    READERS[message](Record("any", 0, 0, 0, key, example.value))


@pytest.mark.parametrize(("message", "example"), INVALID, ids=ids(INVALID))
def test_an_invalid_example_is_refused_by_its_field(message: str, example: Example) -> None:
    field = example.name.partition("--")[0]
    with pytest.raises(DecodeError, match=rf"(^|; |Value error, ){field}\b") as caught:
        READERS[message](Record("any", 0, 0, 0, KEYS[message], example.value))
    assert caught.value.error_class in ("schema", "limit")
    assert accepts(message, example) == (example.name in BEYOND_JSON_SCHEMA)


@pytest.mark.parametrize("example", [example for name, example in VALID if name == "memory.upserted.v1"])
def test_what_we_write_is_what_the_json_schema_accepts(example: Example) -> None:
    memory = Memory.model_validate_json(example.value)
    written = encode_memory(memory).value
    assert written is not None
    assert accepts("memory.upserted.v1", Example("written", written))


@pytest.mark.parametrize("example", [example for name, example in VALID if name == "memory.classified.v1"])
def test_a_written_fact_is_accepted_and_lies_at_its_origin(example: Example) -> None:
    fact = MemoryClassified.model_validate_json(example.value)
    new = encode_fact(fact, 8)
    assert new.value is not None
    assert accepts("memory.classified.v1", Example("written", new.value))
    assert fact.origin.partition == new.partition == partition_of(fact.memory.key, 8)


def test_the_examples_show_what_a_memory_can_be() -> None:
    memories = [Memory.model_validate_json(example.value) for name, example in VALID if name == "memory.upserted.v1"]
    assert any(memory.expires_at for memory in memories)
    assert any(memory.pinned for memory in memories)
    assert any(memory.metadata for memory in memories)
    assert any(memory.has_derived_id for memory in memories)
    assert any(not memory.text.isascii() for memory in memories)
    assert len({memory.key for memory in memories}) == len(memories)


def test_there_are_no_examples_of_what_is_not_a_message() -> None:
    with pytest.raises(RegistryError, match=r"memory\.deleted\.v1"):
        list(iter_examples("memory.deleted.v1"))
