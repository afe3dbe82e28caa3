"""Device, number type and batch size: the settings', else what the hardware is good at."""

import pytest

from hybrid_memory.classifier.qwen.hardware import find_hardware, number_type
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import ClassifierSettings


@pytest.mark.parametrize(
    ("kind", "capabilities", "cuda_bf16", "expected"),
    [
        ("cpu", {"avx2": True, "amx_bf16": False}, False, "float32"),
        ("cpu", {}, False, "float32"),
        ("cpu", {"avx512_bf16": True, "amx_bf16": True}, False, "bfloat16"),
        ("cpu", {"amx_bf16": False}, True, "float32"),
        ("cuda", {"amx_bf16": False}, True, "bfloat16"),
        ("cuda", {"amx_bf16": True}, False, "float32"),
        ("mps", {"amx_bf16": True}, False, "float32"),
    ],
)
def test_the_number_type(kind: str, capabilities: dict[str, bool], cuda_bf16: bool, expected: str) -> None:
    assert number_type(kind, capabilities, cuda_bf16) == expected


def test_settings_overrule() -> None:
    found = find_hardware(ClassifierSettings(device="cpu", dtype="bfloat16", batch_size=7, threads=1))
    assert (found.device, found.dtype, found.batch_size, found.threads) == ("cpu", "bfloat16", 7, 1)


def test_a_processor() -> None:
    found = find_hardware(ClassifierSettings(device="cpu"))
    assert found.batch_size == 64
    assert found.threads >= 1
    assert found.dtype in ("float32", "bfloat16")


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(Refusal, match="HM_CLASSIFIER__DEVICE: cuda:99 is not on this machine"):
        find_hardware(ClassifierSettings(device="cuda:99"))
