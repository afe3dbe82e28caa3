"""Mem0's changes into `memories`: hints from webhook, feed and reconciliation, one publisher, and a tap for OSS."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hybrid_memory.mem0.oss.tap import Tap, tap

__all__ = ["Tap", "tap"]


def __getattr__(name: str) -> Any:
    # On first use: the commands of this component need nothing of it.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hybrid_memory.mem0.oss import tap as module

    return getattr(module, name)
