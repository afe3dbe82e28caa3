"""JSON Schemas (2020-12) of the messages, made from the models."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from hybrid_memory.schemas.events import Memory, MemoryClassified
from hybrid_memory.schemas.mem0 import MESSAGES as MEM0_MESSAGES
from hybrid_memory.schemas.replays import MESSAGES as REPLAY_MESSAGES

MODELS: dict[str, type[BaseModel]] = {
    "memory.upserted.v1": Memory,
    "memory.classified.v1": MemoryClassified,
    **{name: model for model, name in REPLAY_MESSAGES.items()},
    **{name: model for model, name in MEM0_MESSAGES.items()},
}
"""The value of each message. `memory.deleted.v1` is not among them: its records have no value."""


class _Untitled(GenerateJsonSchema):
    """Without the titles that only repeat the names of the fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


def json_schema(message: str) -> dict[str, Any]:
    """The JSON Schema of a message's value. Unknown fields are allowed, as readers ignore them.

    Raises:
        KeyError: `message` is none of :data:`MODELS`.
    """
    schema = MODELS[message].model_json_schema(schema_generator=_Untitled)
    head = {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": f"urn:hybrid-memory:schema:{message}",
        "title": message,
        "description": f"{schema.pop('description')} Readers ignore fields that they do not know.",
    }
    return head | {key: value for key, value in schema.items() if key != "title"}
