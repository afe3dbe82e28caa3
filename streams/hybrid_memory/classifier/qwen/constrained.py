"""Answers that keep to a trie, for all rows at once.

Every state of the walk is a number, so that a step is a few look-ups for any number of rows; only the scores of the
trie's own tokens are computed. A label is given once: a token that leads to no label that is left is not allowed.
"""

from typing import TYPE_CHECKING, Any

from hybrid_memory.classifier.qwen.labels import MAX_LABELS
from hybrid_memory.classifier.qwen.picking import Picker
from hybrid_memory.classifier.qwen.trie import NO_LABEL, Node, Trie

if TYPE_CHECKING:
    import torch

_NOWHERE = -1


class TriePicker(Picker):
    """The likeliest token of those that the trie allows."""

    def __init__(self, model: Any, trie: Trie) -> None:
        import torch

        states = _States(trie)
        device = model.device
        self._tokens = torch.tensor(states.tokens, device=device)
        self._head = model.lm_head.weight.detach()[self._tokens].T.contiguous()
        self._next = torch.tensor(states.next, device=device)
        self._label = torch.tensor(states.label, device=device)
        self._reach = torch.tensor(states.reach, device=device, dtype=model.dtype).T.contiguous()
        self._end, self._comma = states.tokens.index(trie.end), states.tokens.index(trie.comma)
        self.start(0)

    def start(self, rows: int) -> None:
        self._state = self._next.new_zeros(rows)
        self._used = self._reach.new_zeros((rows, len(self._reach))) > 0

    def pick(self, hidden: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
        label = self._label[self._state]
        used = self._used.scatter(1, label[:, None], True)
        scores = (hidden @ self._head).masked_fill_(~self._allowed(label, used), float("-inf"))
        picked = scores.argmax(dim=-1)
        self._used = used.where((picked == self._comma)[:, None], self._used)
        self._state = self._next[self._state, picked]
        return self._tokens[picked], picked == self._end

    def move(self, source: "torch.Tensor", target: "torch.Tensor", rows: int) -> None:
        self._state[target], self._used[target] = self._state[source], self._used[source]
        self._state, self._used = self._state[:rows], self._used[:rows]

    def _allowed(self, label: "torch.Tensor", used: "torch.Tensor") -> "torch.Tensor":
        """(rows, tokens): whether the token leads to a label that the row has not given yet, or ends the answer."""
        follows = self._next[self._state]
        leads_on = ((~used).to(self._reach.dtype) @ self._reach > 0).gather(1, follows.clamp(min=0))
        given = self._used.gather(1, label[:, None])
        leads_on[:, self._comma] &= ~given[:, 0]
        leads_on[:, self._end] = ~given[:, 0]
        return leads_on & (follows != _NOWHERE)


class _States:
    """The trie as tables. Once for each label that an answer may hold, so that a state tells how many it has."""

    def __init__(self, trie: Trie) -> None:
        floors = [list(root.walk()) for root in (trie.first, *[trie.later] * (MAX_LABELS - 1))]
        bottoms = [sum(map(len, floors[:floor])) for floor in range(MAX_LABELS + 1)]
        self._ended = bottoms[-1]
        self._nothing = len(trie.labels) + 1
        spelling = {token for nodes in floors for node in nodes for token in node.children}
        self.tokens = sorted(spelling | {trie.end, trie.comma})
        self.label: list[int] = []
        """The label that is complete in a state; a number of its own where none is."""
        self.next: list[list[int]] = []
        self.reach: list[list[bool]] = []
        """Which labels a state may lead to."""
        for floor, nodes in enumerate(floors):
            numbers = {id(node): bottoms[floor] + at for at, node in enumerate(nodes)}
            for node in nodes:
                follows = {token: numbers[id(child)] for token, child in node.children.items()}
                if node.label != NO_LABEL:
                    follows[trie.end] = self._ended
                    if floor + 1 < MAX_LABELS and node.label < len(trie.labels):
                        follows[trie.comma] = bottoms[floor + 1]
                self._add(node, follows)
        self._add(Node(), {trie.end: self._ended})

    def _add(self, node: Node, follows: dict[int, int]) -> None:
        below = {found.label for found in node.walk()} - {NO_LABEL}
        self.label.append(self._nothing if node.label == NO_LABEL else node.label)
        self.next.append([follows.get(token, _NOWHERE) for token in self.tokens])
        self.reach.append([label in below for label in range(self._nothing + 1)])
