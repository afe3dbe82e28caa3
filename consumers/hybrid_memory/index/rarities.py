"""How rare the words of a query are among a user's memories (IDF), read from the scores of those that have them: a
memory's BM25 is the sum, over these words, of the word's weight in the memory times its rarity. Pure."""

from collections.abc import Collection, Sequence

from hybrid_memory.index.ranker import Ranked


def solve(words: Collection[int], found: Sequence[Ranked]) -> dict[int, float]:
    """The rarity of each word that these scores determine; `found` come with their words.

    A memory with a single word that is not known yet tells its rarity; then others may have a single one left.
    """
    known: dict[int, float] = {}
    open_ = [(one.score, _weights(one, words)) for one in found]
    while open_:
        before = len(known)
        left = []
        for score, weights in open_:
            unknown = [word for word in weights if word not in known]
            if len(unknown) > 1:
                left.append((score, weights))
            elif unknown:
                [word] = unknown
                rest = sum(weight * known[other] for other, weight in weights.items() if other != word)
                known[word] = (score - rest) / weights[word]
        if len(known) == before:
            break
        open_ = left
    return known


def _weights(found: Ranked, words: Collection[int]) -> dict[int, float]:
    assert found.words is not None
    pairs = zip(found.words.indices, found.words.values, strict=True)
    return {word: weight for word, weight in pairs if word in words}
