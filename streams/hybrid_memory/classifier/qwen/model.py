"""A model and its tokenizer from a folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid_memory.classifier.qwen.hardware import Hardware
from hybrid_memory.runtime.errors import Refusal

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def load_model(folder: Path, hardware: Hardware) -> tuple[Any, "PreTrainedTokenizerBase"]:
    """Load both; says nothing on the terminal. Seconds.

    Raises:
        Refusal: the folder holds no model that this product can run.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    torch.set_num_threads(hardware.threads)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=getattr(torch, hardware.dtype), local_files_only=True
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = str(error).strip().split("\n", 1)[0]
        raise Refusal(f"the model in {folder} cannot be loaded ({reason}); see HM_CLASSIFIER__MODEL") from None
    _check(model.config, folder)
    return model.to(hardware.device).eval(), tokenizer


def _check(config: Any, folder: Path) -> None:
    layers = set(getattr(config, "layer_types", None) or ["full_attention"])
    if layers != {"full_attention"}:
        others = ", ".join(sorted(layers - {"full_attention"}))
        raise Refusal(f"the model in {folder} has layers of a kind that hm cannot run ({others}); use a Qwen2.5 model")
