"""What the service tells of its index."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hybrid_memory.verify.states import Shown
from hybrid_memory.verify.views import KEYS, About

_EXAMPLE: dict[str, Any] = {
    "key": "ada/40bc3277-8150-5331-87da-7ad021026e88",
    "seq": 17,
    "state": "final",
    "generation": 1,
    "source": "llm",
    "appended_at": 1795000000000,
    "memory": "6d0f8b2c9a4e1753",
    "labels": "a1b2c3d4e5f60718",
}
_TOPICS: dict[str, Any] = {"memories": {"topic_id": "lf_yisXBTk6U6AqTfBcpcA", "partitions": 8}}


class IndexReply(About):
    """The index behind this service."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "index_id": "4c9f2b0e-8f0d-4a55-9f58-3a0b9b5f6d11",
                    "topics": _TOPICS,
                    "embedder": "all-MiniLM-L6-v2",
                    "dimensions": 384,
                    "schema_version": 2,
                    "memories": 2,
                    "positions": {"memories": {"0": 18}},
                }
            ]
        }
    )


class PointsReply(BaseModel):
    """Points as digests: enough to compare them with the log, and no word of what they say."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"points": [_EXAMPLE], "next_cursor": None}]})

    points: list[Shown]
    next_cursor: str | None = Field(default=None, description="Ask with it for the next page; null at the end.")


class Find(BaseModel):
    """Memories, by their keys in the log."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"keys": [_EXAMPLE["key"]]}]}
    )

    keys: list[Annotated[str, StringConstraints(min_length=3, max_length=2048)]] = Field(max_length=KEYS)
