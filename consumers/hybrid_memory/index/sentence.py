"""Any model that sentence-transformers can load."""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from hybrid_memory.index.embedder import Embedder, Matrix
from hybrid_memory.runtime.errors import Refusal

if TYPE_CHECKING:
    import torch


class SentenceEmbedder(Embedder):
    """A model by its name on the hub or by its folder. One call at a time: fast tokenizers are not re-entrant."""

    def __init__(self, model: str, dtype: "torch.dtype", device: str = "cpu", batch_size: int = 64) -> None:
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            self._model = SentenceTransformer(
                model, device=device, model_kwargs={"dtype": dtype}, local_files_only=Path(model).is_dir()
            )
        except (OSError, ValueError) as error:
            reason = str(error).strip().split("\n", 1)[0]
            raise Refusal(
                f"embedding model {model!r} cannot be loaded ({reason}); "
                "set HM_EMBEDDER__MODEL to a model's folder, or to a name that the model hub has"
            ) from None
        self.name = f"{model}:{self._model.max_seq_length}"
        self.dimensions = len(self._model.encode("dimensions"))
        self._batch_size = batch_size
        self._lock = Lock()

    def embed(self, texts: Sequence[str]) -> Matrix:
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        with self._lock:
            found = self._model.encode(
                list(texts), batch_size=self._batch_size, normalize_embeddings=True, show_progress_bar=False
            )
        # Unit length again: the library normalises in the model's own precision.
        matrix = np.asarray(found, dtype=np.float32)
        unit: Matrix = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
        return unit
