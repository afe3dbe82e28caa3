"""The garbage collector in programs that run for long."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def settled() -> Iterator[None]:
    """While it lasts, what is there now is not searched for garbage again: modules and models make up most of the heap,
    and a full collection that searched them stopped every thread for 90 ms, time and again.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
