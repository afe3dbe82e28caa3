"""Attention of many rows that share one prefix, as an attention function of transformers.

The rows of a batch arrive as one line of tokens, so that the products hold no padding. Only here are they laid side by
side. The prefix's keys and values are held once: its share is one product for all rows, not a copy for each.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from hybrid_memory.classifier.qwen.rows import Layout

NAME = "hybrid_memory_shared_prefix"


def use_shared_prefix(model: Any) -> None:
    """Make a transformers model attend in this way; its forward then takes the `layout` of its tokens."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)  # without a mask function: no mask is made, the layout has its own
    model.set_attn_implementation(NAME)


def attend(
    module: Any,
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    _mask: "torch.Tensor | None",
    *,
    layout: "Layout",
    scaling: float,
    **_: Any,
) -> tuple["torch.Tensor", None]:
    """One layer's attention. Tensors come as (1, heads, tokens, width), and the answer is (1, tokens, heads, width)."""
    import torch

    prefix_keys, prefix_values = layout.rows.prefix.of(module.layer_idx)
    keys, values = layout.keep(module.layer_idx, key[0].transpose(0, 1), value[0].transpose(0, 1))
    asked = layout.side_by_side(query[0].transpose(0, 1) * scaling)
    rows, columns, heads, width = asked.shape
    groups = keys.shape[1]
    # Query heads that share keys stand below each other: (rows, groups, heads of a group × columns, width).
    asked = asked.view(rows, columns, groups, heads // groups, width).permute(0, 2, 3, 1, 4)
    asked = asked.reshape(rows, groups, -1, width)
    own = (asked @ keys.transpose(-1, -2)).view(rows, groups, -1, columns, keys.shape[2]) + layout.mask
    shared = _for_all(asked, prefix_keys.transpose(-1, -2))
    weights = torch.cat([shared, own.view(rows, groups, -1, keys.shape[2])], dim=-1).softmax(dim=-1)
    split = shared.shape[-1]
    found = weights[..., split:] @ values + _for_all(weights[..., :split], prefix_values)
    found = found.view(rows, groups, heads // groups, columns, width).permute(0, 3, 1, 2, 4)
    return layout.in_line(found.reshape(rows, columns, heads, width))[None], None


def _for_all(asked: "torch.Tensor", shared: "torch.Tensor") -> "torch.Tensor":
    """(rows, groups, n, k) times (groups, k, m), as one product a group."""
    rows, groups, n, _ = asked.shape
    product = asked.transpose(0, 1).reshape(groups, rows * n, -1) @ shared
    return product.view(groups, rows, n, -1).transpose(0, 1)
