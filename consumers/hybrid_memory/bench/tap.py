"""What `hybrid_memory.mem0.tap` costs the application: Mem0's own `add` with a tap and without, in turn."""

import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from hybrid_memory.bench.figures import Figure, at_most_times, milliseconds, times
from hybrid_memory.bench.progress import Shown
from hybrid_memory.client import MemoryClient
from hybrid_memory.local import Broker
from hybrid_memory.local.ports import LOOPBACK, free_port
from hybrid_memory.local.progress import shown_progress
from hybrid_memory.mem0 import Tap, tap
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.runtime.topics import apply_topics

_ROUNDS = 10
_DIMENSIONS = 384
BARE = "without a tap"


class NoEmbedder:
    """The same vector for every text: what is measured is what stands around it."""

    def __init__(self, config: Any = None) -> None:
        self.config = config

    def embed(self, *_: Any, **__: Any) -> list[float]:
        return [0.05] * _DIMENSIONS


def tapped(settings: Settings, samples: int, shown: Shown) -> list[Figure]:
    """The time of `Memory.add(infer=False)`, with Mem0's Qdrant inside the process, its embedder free of charge.

    Raises:
        Refusal: mem0ai is not installed.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hm-", ignore_cleanup_errors=True)))
        up = _kafka(stack, settings, folder)
        down = settings.model_copy(update={"kafka": {"bootstrap.servers": f"{LOOPBACK}:{free_port()}"}})
        memories = {name: stack.enter_context(_memory(folder / name)) for name in (BARE, "up", "down")}
        taps = {
            name: _tap(stack, memories[name], one, folder / f"{name}.sqlite")
            for name, one in (("up", up), ("down", down))
        }
        seconds = _measure(memories, taps["up"], max(1, samples // _ROUNDS), shown)
    bare = milliseconds(seconds[BARE], 0.5)
    target, count = at_most_times(bare, 1, 1, "ms"), len(seconds[BARE])
    return [
        times("add, Kafka up", count, seconds["up"], BARE, bare, target),
        times("add, Kafka down", count, seconds["down"], BARE, bare, target),
        times("add, without a tap", count, seconds[BARE]),
    ]


def _measure(memories: dict[str, Any], up: Tap, each: int, shown: Shown) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in memories}
    with shown.step("adding to Mem0, with a tap and without in turn", _ROUNDS * each * len(memories)) as advance:
        for _ in range(_ROUNDS):
            for name, memory in memories.items():
                seconds[name] += (_seconds(memory, number) for number in range(each))
                up.flush()  # its thread is not to work while the others are measured
                advance(each)
    return seconds


def _seconds(memory: Any, number: int) -> float:
    began = time.perf_counter()
    memory.add(f"number {number} is something to remember, in a sentence of usual length", user_id="u", infer=False)
    return time.perf_counter() - began


def _kafka(stack: ExitStack, settings: Settings, folder: Path) -> Settings:
    progress = stack.enter_context(shown_progress("downloading Kafka"))
    broker = stack.enter_context(Broker(folder / "kafka", cache_dir=settings.cache_dir, progress=progress))
    ours = settings.model_copy(
        update={"kafka": {"bootstrap.servers": broker.bootstrap_servers}, "topic_prefix": "", "data_dir": folder}
    )
    apply_topics(ours)
    return ours


def _tap(stack: ExitStack, memory: Any, settings: Settings, outbox: Path) -> Tap:
    client = stack.enter_context(MemoryClient(settings=settings, timeout=2.0))
    tapped = tap(memory, client, outbox=outbox, settings=settings)
    stack.callback(tapped.close, 0)
    return tapped


@contextmanager
def _memory(folder: Path) -> Iterator[Any]:
    os.environ.update(MEM0_TELEMETRY="False", MEM0_DIR=str(folder / "mem0"))  # it asks nobody
    try:
        from mem0 import Memory
        from mem0.configs.llms.base import BaseLlmConfig
        from mem0.utils.factory import EmbedderFactory, LlmFactory
    except ImportError:
        raise Refusal("mem0ai is not installed; install it with: pip install mem0ai") from None
    logging.getLogger("mem0").setLevel(logging.ERROR)
    EmbedderFactory.provider_to_class["openai"] = f"{__name__}.{NoEmbedder.__name__}"
    LlmFactory.register_provider("openai", f"{__name__}.{NoEmbedder.__name__}", BaseLlmConfig)
    store = {"path": str(folder / "qdrant"), "on_disk": True, "embedding_model_dims": _DIMENSIONS}
    memory: Any = Memory.from_config(
        {
            "vector_store": {"provider": "qdrant", "config": store},
            "llm": {"provider": "openai", "config": {}},
            "embedder": {"provider": "openai", "config": {}},
            "history_db_path": str(folder / "history.db"),
        }
    )
    try:
        yield memory
    finally:
        memory.close()
        memory.vector_store.client.close()
