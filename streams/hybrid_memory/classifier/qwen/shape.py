"""The true shape with random weights, and a workload without a tokenizer: for speeds and for exactness, not for sense.

Speeds do not depend on the weights' values. Each answer's length is given, the same for the reference and for ours.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hybrid_memory.classifier.qwen.decoding import Decoder
from hybrid_memory.classifier.qwen.picking import FreePicker

_VOCABULARY = 151_936
_NO_TOKENS: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Workload:
    """Token numbers: what stands before every text, the texts with what follows them, and how long each answer is."""

    prefix: list[int]
    texts: list[list[int]]
    answers: list[int]

    def first(self, texts: int) -> "Workload":
        """The first so many texts."""
        return Workload(self.prefix, self.texts[:texts], self.answers[:texts])


def make_workload(texts: int, *, prefix: int = 120, answers: tuple[int, int] = (6, 16), seed: int = 0) -> Workload:
    """Texts of 13 to 35 tokens, with what ends their turn, and answers of 6 to 16 unless told otherwise."""
    chance = random.Random(seed)

    def tokens(count: int) -> list[int]:
        return [chance.randrange(_VOCABULARY) for _ in range(count)]

    before = tokens(prefix)
    made = [tokens(chance.randint(13, 35)) for _ in range(texts)]
    return Workload(before, made, [chance.randint(*answers) for _ in range(texts)])


def make_model(*, layers: int = 24, dtype: str = "float32", device: str = "cpu", seed: int = 0) -> Any:
    """Qwen2.5-0.5B's shape with random weights: 494 million numbers, seconds."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=_VOCABULARY,
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=layers,
        num_attention_heads=14,
        num_key_value_heads=2,
        max_position_embeddings=32_768,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
        dtype=dtype,
    )
    torch.manual_seed(seed)
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        model: Any = Qwen2ForCausalLM(config)  # type: ignore[no-untyped-call]
    finally:
        torch.set_default_dtype(before)
    return model.to(device).eval()


def answer_one_by_one(model: Any, work: Workload) -> list[list[int]]:
    """The reference: the library's own `generate`, one text at a time, each with the whole prompt, greedy."""
    import torch

    model.set_attn_implementation("sdpa")
    found = []
    for text, length in zip(work.texts, work.answers, strict=True):
        ids = torch.tensor([work.prefix + text], device=model.device)
        out = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=length, do_sample=False, pad_token_id=0
        )
        found.append(out[0, ids.shape[1] :].tolist())
    return found


def answer_together(model: Any, work: Workload, *, batch: int, share_prefix: bool = True) -> list[list[int]]:
    """Ours: the prefix read once (or, without `share_prefix`, with each text), batches of near lengths."""
    from hybrid_memory.classifier.qwen.batches import Budget

    decoder, picker = Decoder(model), FreePicker(model, _NO_TOKENS)
    prefix = decoder.prefix(work.prefix if share_prefix else [])
    asked = [text if share_prefix else work.prefix + text for text in work.texts]
    found: list[list[int]] = [[] for _ in asked]
    for together in Budget(batch, 10**9).cut([len(text) for text in asked]):
        answers = decoder.answer([asked[at] for at in together], prefix, picker, [work.answers[at] for at in together])
        for at, answer in zip(together, answers, strict=True):
            found[at] = answer
    return found


def seconds(run: Callable[[], Any]) -> float:
    """How long `run` takes, a GPU's own work included."""
    import torch

    def wait() -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    wait()
    start = time.perf_counter()
    run()
    wait()
    return time.perf_counter() - start


def seconds_one_by_one(model: Any, work: Workload) -> float:
    """The reference's time for this work, after a first text that does not count."""
    answer_one_by_one(model, work.first(1))
    return seconds(lambda: answer_one_by_one(model, work))


def seconds_together(model: Any, work: Workload, *, batch: int) -> float:
    """Our time for this work, reading the prefix included, after a first batch that does not count."""
    answer_together(model, work.first(min(batch, 8)), batch=batch)
    return seconds(lambda: answer_together(model, work, batch=batch))


def flops_per_text(model: Any, work: Workload) -> float:
    """What the products of ours cost a text: the layers for what is read and written but the last token, the
    vocabulary for what is written. The prefix, attention and all else are not counted.
    """
    texts = len(work.texts)
    read, written = sum(map(len, work.texts)) / texts, sum(work.answers) / texts
    layers = sum(product.weight.numel() for product in _products(model))
    return float(2 * ((read + written - 1) * layers + written * model.lm_head.weight.numel()))


def product_rate(model: Any, *, rows: int, seconds_at_least: float = 1.0) -> float:
    """Floating-point operations a second that this machine reaches in the layers' own products, for so many rows.

    The best of several passes: what else runs on the machine only lowers it.
    """
    import torch

    products = _products(model)
    inputs = {
        width: torch.randn(rows, width, dtype=model.dtype, device=model.device)
        for width in {product.in_features for product in products}
    }

    def run() -> None:
        for product in products:
            product(inputs[product.in_features])

    flops = 2.0 * rows * int(sum(product.weight.numel() for product in products))
    with torch.inference_mode():
        run()
        times = [seconds(run)]
        while sum(times) < seconds_at_least:
            times.append(seconds(run))
    return flops / min(times)


def _products(model: Any) -> list[Any]:
    from torch.nn import Linear

    return [module for module in model.model.layers.modules() if isinstance(module, Linear)]
