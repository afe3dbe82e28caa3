"""The model alone: ours beside the library's own loop, and beside what the machine's arithmetic allows."""

from collections.abc import Mapping
from typing import Any

from hybrid_memory.bench.figures import Figure, Target, at_least_times
from hybrid_memory.bench.progress import Shown
from hybrid_memory.classifier.qwen import shape
from hybrid_memory.classifier.qwen.hardware import Hardware, find_hardware
from hybrid_memory.runtime.settings import ClassifierSettings

REFERENCE = "generate, one by one"
FLOOR = "arithmetic"
_FAST_GPUS = ("H200", "H100", "B200")
_ROUNDS = 2


def classify(settings: ClassifierSettings, texts: int, reference_texts: int, seed: int, shown: Shown) -> list[Figure]:
    """Texts a second in Qwen2.5-0.5B's true shape with random weights; the speed does not depend on their values.

    The reference is the library's `generate`, one text at a time, the whole prompt each time, 32-bit floats. The
    arithmetic is what the machine reaches in the same products alone. All in turn, in one process; the best of each.
    """
    hardware = find_hardware(settings)
    _use(hardware)
    work = shape.make_workload(texts, seed=seed)
    shown.say(f"bench: making the model ({hardware.device}, {hardware.dtype}, {hardware.threads} threads)")
    plain = shape.make_model(device=hardware.device, seed=seed)
    model = plain if hardware.dtype == "float32" else shape.make_model(dtype=hardware.dtype, device=hardware.device)
    few, batch = work.first(reference_texts), min(hardware.batch_size, texts)
    reference, ours, products = [], [], []
    with shown.step("classifying, ours and the reference in turn", _ROUNDS) as advance:
        for _ in range(_ROUNDS):
            reference.append(shape.seconds_one_by_one(plain, few) / reference_texts)
            ours.append(shape.seconds_together(model, work, batch=batch) / texts)
            products.append(shape.flops_per_text(model, work) / shape.product_rate(model, rows=512))
            advance(1)
    rate, one_by_one, floor = 1 / min(ours), 1 / min(reference), 1 / min(products)
    times = at_least_times(one_by_one, _wanted(hardware))
    return [
        Figure(f"texts in batches of {batch}", texts, rate, "/s", None, REFERENCE, one_by_one, times),
        Figure("  beside the products alone", texts, rate, "/s", None, FLOOR, floor, at_least_times(floor, 0.5)),
        *_on_gpu(hardware, texts, rate),
    ]


def about(settings: ClassifierSettings) -> Mapping[str, Any]:
    """What the figures were measured with."""
    hardware = find_hardware(settings)
    return {"device": hardware.device, "dtype": hardware.dtype, "threads": hardware.threads}


def _use(hardware: Hardware) -> None:
    import torch

    torch.set_num_threads(hardware.threads)


def _wanted(hardware: Hardware) -> float:
    """How many times the reference; more where the processor multiplies 16-bit floats."""
    return 15.0 if hardware.dtype == "bfloat16" else 6.0


def _on_gpu(hardware: Hardware, texts: int, rate: float) -> list[Figure]:
    import torch

    if not hardware.device.startswith("cuda"):
        return []
    name = torch.cuda.get_device_name(hardware.device)
    target = Target("≥ 3,000/s", 3000.0, at_most=False) if any(fast in name for fast in _FAST_GPUS) else None
    return [Figure(f"  on {name}", texts, rate, "/s", target=target)]
