"""Bodies and replies that the OpenAPI document shows."""

from typing import Any

ID = "40bc3277-8150-5331-87da-7ad021026e88"
POSITION = "lf_yisXBTk6U6AqTfBcpcA:0:17"
TEXT = "I love the ramen place near the station"
CREATED = "2026-11-22T19:32:59.658518Z"

SEARCH: dict[str, Any] = {"user_id": "ada", "context": "Where shall we eat tonight?", "limit": 3}

_MEMORY: dict[str, Any] = {
    "memory_id": ID,
    "text": TEXT,
    "topic": "food",
    "type": "stable",
    "classifiers": ["cuisine type"],
    "classifier_source": "heuristic",
    "state": "final",
    "metadata": {"mood": "hungry"},
    "created_at": CREATED,
}
FOUND = _MEMORY | {"score": 0.3573}
EXPLAINED = FOUND | {
    "explanation": {
        "text": {"value": 0.4113, "weight": 0.4878},
        "words": {"value": 0.3212, "weight": 0.4878},
        "classifiers": {"value": 0.0, "weight": 0.0244},
    }
}
MEMORY = _MEMORY | {
    "user_id": "ada",
    "pinned": False,
    "provenance": {"source": "rules", "taxonomy": "1", "generation": 0, "at": CREATED},
    "expires_at": None,
    "source": "app",
    "seq": 17,
    "generation": 0,
}
USERS: dict[str, Any] = {"users": [{"user_id": "ada", "memory_count": 2}], "total_users": 1, "total_memories": 2}
HEALTH: dict[str, Any] = {
    "status": "ok",
    "embedding_model": "all-MiniLM-L6-v2",
    "classifier_service": "disabled",
    "classifier_url": None,
}
