"""The demonstration: one person's memories, published and searched on a system that is started for it."""

from hybrid_memory.demo.data import SEARCHES, STRANGER, USER, Add, Delete, Search, Step, load_life

__all__ = ["SEARCHES", "STRANGER", "USER", "Add", "Delete", "Search", "Step", "load_life"]
