"""Mem0's open-source memory for tests: the real library, with an embedder and a model that ask nobody."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, ClassVar

DIMENSIONS = 16


class FakeEmbedder:
    """A vector from the words' digest."""

    def __init__(self, config: Any = None) -> None:
        self.config = config

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        digest = hashlib.sha256(text.encode()).digest()
        return [byte / 255 + 0.01 for byte in digest[:DIMENSIONS]]

    def embed_batch(self, texts: list[str], memory_action: str | None = None) -> list[list[float]]:
        return [self.embed(text) for text in texts]


class FakeLLM:
    """Finds in every conversation what the test says."""

    finds: ClassVar[list[str]] = []

    def __init__(self, config: Any = None) -> None:
        self.config = config

    def generate_response(self, messages: Any, **_: Any) -> str:
        return json.dumps({"memory": [{"text": text} for text in self.finds]})


def configuration(folder: Path, collection: str = "mem0", **qdrant: Any) -> dict[str, Any]:
    """Of a memory whose every file is in `folder`."""
    store = {"collection_name": collection, "embedding_model_dims": DIMENSIONS}
    store |= qdrant or {"path": str(folder / "qdrant"), "on_disk": True}
    return {
        "vector_store": {"provider": "qdrant", "config": store},
        "llm": {"provider": "openai", "config": {}},
        "embedder": {"provider": "openai", "config": {}},
        "history_db_path": str(folder / "history.db"),
    }


def open_memory(folder: Path, asynchronous: bool = False, **options: Any) -> Any:
    """A `Memory` or `AsyncMemory`, which talks to nobody outside this machine."""
    os.environ.update(MEM0_TELEMETRY="False", MEM0_DIR=str(folder / "mem0"))
    from mem0 import AsyncMemory, Memory
    from mem0.configs.llms.base import BaseLlmConfig
    from mem0.utils.factory import EmbedderFactory, LlmFactory

    EmbedderFactory.provider_to_class["openai"] = f"{__name__}.FakeEmbedder"
    LlmFactory.register_provider("openai", f"{__name__}.FakeLLM", BaseLlmConfig)
    kind: Any = AsyncMemory if asynchronous else Memory
    return kind.from_config(configuration(folder, **options))
