"""Writes to an index until it is killed; prints each position once it has been applied. Run by the tests."""

import sys
from itertools import count
from pathlib import Path

from hybrid_memory.index.bm25 import bm25_vector
from hybrid_memory.index.edge import EdgeStore
from hybrid_memory.index.hashing import HashEmbedder
from hybrid_memory.index.points import Point, StoredPoint, Vectors
from hybrid_memory.index.store import Progress
from hybrid_memory.schemas import Memory


def point(seq: int, embedder: HashEmbedder) -> StoredPoint:
    id_, text = str(seq % 1000), f"fact {seq}"
    if seq % 5 == 0:
        return StoredPoint(Point(key=f"ann/{id_}", seq=seq, appended_at=seq, memory=None, state="deleted"), None)
    memory = Memory.new(user_id="ann", memory_id=id_, text=text)
    vectors = Vectors(tuple(embedder.embed([text])[0].tolist()), (), bm25_vector(text))
    return StoredPoint(Point(key=memory.key, seq=seq, appended_at=seq, memory=memory, state="final"), vectors)


def main(folder: str, dimensions: int, batch: int = 50) -> None:
    embedder = HashEmbedder(dimensions)
    store = EdgeStore.open(Path(folder), dimensions)
    for start in count(0, batch):
        store.upsert([point(seq, embedder) for seq in range(start, start + batch)])
        store.advance(Progress({("memories", 0): start + batch}, start))
        if start % 1000 == 0:
            store.flush()
        print(start + batch, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
