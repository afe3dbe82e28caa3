"""Sentence models of BERT's shape, all-MiniLM-L6-v2 among them, by torch's own transformer encoder.

sentence-transformers gives the same vectors, but takes 11 s and 250 MB more to import, and a fifth longer a text.
"""

import json
from collections.abc import Iterator, Sequence
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hybrid_memory.index.embedder import Embedder, Matrix

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

_NEEDED = ("modules.json", "config.json", "sentence_bert_config.json", "tokenizer.json", "model.safetensors")
_BATCH_TOKENS = 4096
"""Tokens a batch, padding included: 100 MB of intermediate values in a model of this size."""

_SHAPE = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}


def is_bert(folder: Path) -> bool:
    """Whether the folder holds a BERT model whose tokens are averaged and brought to unit length."""
    if not all((folder / name).is_file() for name in _NEEDED):
        return False
    modules = [module["type"].rpartition(".")[2] for module in _json(folder / "modules.json")]
    if modules != ["Transformer", "Pooling", "Normalize"]:
        return False
    config, pooling = _json(folder / "config.json"), _json(folder / "1_Pooling" / "config.json")
    modes = {name for name, on in pooling.items() if name.startswith("pooling_mode") and on}
    same_shape = all(config.get(name, want) == want for name, want in _SHAPE.items())
    return same_shape and modes == {"pooling_mode_mean_tokens"}


class BertEmbedder(Embedder):
    """Texts are cut at the model's own limit, and sorted by length so that little is padded.

    A text's vector differs by less than 1e-6 between batches (32-bit floats).
    """

    def __init__(
        self, folder: Path, dtype: "torch.dtype", device: str = "cpu", batch_size: int = 64, name: str | None = None
    ) -> None:
        config = _json(folder / "config.json")
        limit = _json(folder / "sentence_bert_config.json")["max_seq_length"]
        self.dimensions = int(config["hidden_size"])
        self.name = f"{name or folder.name}:{_digest(folder)}:{limit}"
        self._batch_size = batch_size
        self._device = device
        self._tokenizer = _tokenizer(folder, limit)
        self._model = _build(folder, config).to(device=device, dtype=dtype)

    def embed(self, texts: Sequence[str]) -> Matrix:
        # Without padding and truncation to set, a tokenizer is never changed: threads may share it.
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        matrix = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for batch in batches([len(row) for row in tokens], self._batch_size, _BATCH_TOKENS):
            matrix[batch] = self._forward([tokens[at] for at in batch])
        return matrix

    def _forward(self, tokens: list[list[int]]) -> Matrix:
        import torch

        longest = len(tokens[-1])
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in tokens])
        lengths = torch.tensor([len(row) for row in tokens])
        with torch.inference_mode():
            vectors: Matrix = self._model(ids.to(self._device), lengths.to(self._device)).cpu().numpy()
        return vectors


def batches(lengths: Sequence[int], most: int, tokens: int) -> Iterator[list[int]]:
    """Indexes in batches of near lengths, shortest first: at most `most` each, and `tokens` tokens once padded."""
    batch: list[int] = []
    for at in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) == most or (len(batch) + 1) * lengths[at] > tokens):
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch


def _json(path: Path) -> Any:
    return json.loads(path.read_text())


def _digest(folder: Path) -> str:
    with (folder / "model.safetensors").open("rb") as weights:
        return file_digest(weights, "sha256").hexdigest()[:12]


def _tokenizer(folder: Path, limit: int) -> "Tokenizer":
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(limit)
    tokenizer.no_padding()
    return tokenizer


def _build(folder: Path, config: dict[str, Any]) -> "torch.nn.Module":
    from safetensors.torch import load_file

    from hybrid_memory.index.bert_model import BertModel, rename

    model = BertModel(config)
    model.load_state_dict(rename(load_file(folder / "model.safetensors")))
    return model.eval()
