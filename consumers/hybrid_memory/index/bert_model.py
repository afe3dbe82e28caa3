"""BERT in torch's own parts. Imports torch: for :mod:`hybrid_memory.index.bert` alone."""

import re
from collections.abc import Mapping
from typing import Any

import torch  # noqa: TID253  only imported where a model is loaded
from torch import Tensor, nn  # noqa: TID253

_EMBEDDINGS = {
    "embeddings.word_embeddings.weight": "words.weight",
    "embeddings.position_embeddings.weight": "positions.weight",
    "embeddings.token_type_embeddings.weight": "kinds.weight",
    "embeddings.LayerNorm.weight": "norm.weight",
    "embeddings.LayerNorm.bias": "norm.bias",
}
_LAYER = {
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
    "output.LayerNorm": "norm2",
}


class BertModel(nn.Module):
    """Token ids to unit vectors: embeddings, the encoder, the mean over a text's tokens."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        width, epsilon = config["hidden_size"], config["layer_norm_eps"]
        self.words = nn.Embedding(config["vocab_size"], width)
        self.positions = nn.Embedding(config["max_position_embeddings"], width)
        self.kinds = nn.Embedding(config["type_vocab_size"], width)
        self.norm = nn.LayerNorm(width, eps=epsilon)
        layer = nn.TransformerEncoderLayer(
            width,
            config["num_attention_heads"],
            config["intermediate_size"],
            dropout=0.0,
            activation="gelu",
            layer_norm_eps=epsilon,
            batch_first=True,
        )
        # Nested tensors would skip the padding, but torch calls them a prototype.
        self.encoder = nn.TransformerEncoder(layer, config["num_hidden_layers"], enable_nested_tensor=False)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """The 32-bit unit vector of each row of `ids`, of which the first `lengths` tokens count."""
        places = torch.arange(ids.shape[1], device=ids.device)
        counts = places < lengths[:, None]
        states = self.norm(self.words(ids) + self.positions(places) + self.kinds.weight[0])
        states = self.encoder(states, src_key_padding_mask=None if bool(counts.all()) else ~counts).float()
        # The encoder may leave anything in the rows that do not count.
        total = states.masked_fill(~counts[..., None], 0.0).sum(dim=1)
        return nn.functional.normalize(total, dim=1)


def rename(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A checkpoint's tensors under the names of :class:`BertModel`; what it does not need is left out."""
    named = {ours: weights[theirs] for theirs, ours in _EMBEDDINGS.items()}
    layers = {int(found[1]) for name in weights if (found := re.match(r"encoder\.layer\.(\d+)\.", name))}
    for number in layers:
        theirs, ours = f"encoder.layer.{number}.", f"encoder.layers.{number}."
        for kind in ("weight", "bias"):
            parts = [weights[f"{theirs}attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            named[f"{ours}self_attn.in_proj_{kind}"] = torch.cat(parts)
            named |= {f"{ours}{new}.{kind}": weights[f"{theirs}{old}.{kind}"] for old, new in _LAYER.items()}
    return named
