"""Sets an index aside. The log holds the truth, so a new one is only a matter of time."""

import shutil

from hybrid_memory.index.folders import index_folder
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import Settings


def set_aside(settings: Settings) -> str:
    """Move the index to a folder beside it (replacing the last one set aside); a sentence says where.

    Raises:
        Refusal: a process uses it, the folder cannot be moved, or the index is on a server.
    """
    if settings.qdrant.url is not None:
        raise Refusal(
            "the index is on a Qdrant server: build a new one beside it with hm rebuild; or stop every hm sink, delete "
            f"the collection {settings.qdrant.collection} there, and start them again: they build it anew from the log"
        )
    from hybrid_memory.index.edge_folder import lock_folder

    folder = index_folder(settings)
    if not folder.exists():
        return f"there is no index in {settings.data_dir}; the next hm serve builds one"
    aside = settings.data_dir / "index.old"
    with lock_folder(folder):
        try:
            shutil.rmtree(aside, ignore_errors=True)
            folder.rename(aside)
        except OSError as error:
            raise Refusal(f"{folder} cannot be moved ({error.strerror})") from None
    return f"the index was set aside as {aside}; the next hm serve builds a new one from the log"
