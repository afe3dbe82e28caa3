"""What the model runs on: device, number type, threads and batch size, from what the hardware can do."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import ClassifierSettings

_BATCH = {"cuda": 4096}
_BATCH_ELSEWHERE = 64


@dataclass(frozen=True, slots=True)
class Hardware:
    """`device` and `dtype` by the names that torch gives them."""

    device: str
    dtype: str
    batch_size: int
    threads: int


def find_hardware(wanted: ClassifierSettings) -> Hardware:
    """What these settings come to on this machine; what they do not say, the hardware decides.

    Raises:
        Refusal: they name a device that is not there.
    """
    device = _device(wanted.device)
    kind = device.partition(":")[0]
    dtype = wanted.dtype if wanted.dtype != "auto" else _number_type(kind)
    batch_size = wanted.batch_size or _BATCH.get(kind, _BATCH_ELSEWHERE)
    return Hardware(device, dtype, batch_size, wanted.threads or _cores())


def number_type(kind: str, capabilities: Mapping[str, Any], cuda_bf16: bool) -> str:
    """bfloat16 only where the hardware multiplies it as such: elsewhere it is emulated, several times slower."""
    fast = cuda_bf16 if kind == "cuda" else kind == "cpu" and bool(capabilities.get("amx_bf16"))
    return "bfloat16" if fast else "float32"


def _number_type(kind: str) -> str:
    import torch

    cuda_bf16 = kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return number_type(kind, torch.cpu.get_capabilities(), cuda_bf16)


def _device(wanted: str) -> str:
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = wanted.partition(":")
    there = {"cpu": 1, "mps": int(torch.backends.mps.is_available()), "cuda": torch.cuda.device_count()}[kind]
    if int(number or 0) >= there:
        raise Refusal(f"setting HM_CLASSIFIER__DEVICE: {wanted} is not on this machine; use auto, or cpu")
    return wanted


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
