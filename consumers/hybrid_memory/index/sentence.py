"""Embedding by sentence-transformers: any model that it can load, all-MiniLM-L6-v2 by default."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import file_digest
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from hybrid_memory.index.embedder import Embedder, Matrix
from hybrid_memory.runtime.errors import Refusal

if TYPE_CHECKING:
    import torch

# A forward pass over 64 texts of 1,000 characters takes 600 MB; over this many characters in all, a tenth of it.
_BATCH_CHARACTERS = 16_384


class SentenceEmbedder(Embedder):
    """A model by its folder, or by its name on the hub.

    The batches of a call run side by side, at most `workers` of them, and so do calls of several threads: one that
    embeds a query does not wait for one that embeds a thousand texts. A text's vector differs by less than 1e-6
    between batches (32-bit floats).
    """

    def __init__(
        self,
        model: str,
        dtype: "torch.dtype",
        device: str = "cpu",
        batch_size: int = 32,
        name: str | None = None,
        workers: int = 1,
    ) -> None:
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]
        folder = Path(model) if Path(model).is_dir() else None
        try:
            self._model = SentenceTransformer(
                model, device=device, model_kwargs={"dtype": dtype}, local_files_only=folder is not None
            )
        except (OSError, ValueError) as error:
            reason = str(error).strip().split("\n", 1)[0]
            raise Refusal(
                f"embedding model {model!r} cannot be loaded ({reason}); "
                "set HM_EMBEDDER__MODEL to a model's folder, or to a name that the model hub has"
            ) from None
        # What changes vectors and nothing else: an index may move to a machine where the folder is another.
        parts = [name or (folder.name if folder else model), _digest(folder), str(self._model.max_seq_length)]
        self.name = ":".join(part for part in parts if part)
        self.dimensions = len(self._model.encode("dimensions"))
        self._device, self._batch_size, self._workers = device, batch_size, workers
        self._pool = ThreadPoolExecutor(workers, "embedder")
        self._tokenizing = Lock()

    def embed(self, texts: Sequence[str]) -> Matrix:
        matrix = np.empty((len(texts), self.dimensions), dtype=np.float32)
        most = max(1, min(self._batch_size, -(-len(texts) // self._workers)))
        found = list(batches([len(text) for text in texts], most, _BATCH_CHARACTERS))
        found.reverse()  # the longest first, so that all workers end together
        run = map if len(found) == 1 else self._pool.map  # a query goes ahead of what waits for the pool
        for batch, vectors in zip(
            found, run(self._forward, [[texts[at] for at in batch] for batch in found]), strict=True
        ):
            matrix[batch] = vectors
        unit: Matrix = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
        return unit

    def _forward(self, texts: list[str]) -> Matrix:
        """Vectors of any length. The library's `encode` does the same, but not in several threads at once."""
        import torch

        with self._tokenizing:  # fast tokenizers are not re-entrant
            features = self._model.preprocess(texts)
        with torch.inference_mode():
            on_device = {name: value.to(self._device) for name, value in features.items() if torch.is_tensor(value)}
            vectors: Matrix = self._model(on_device)["sentence_embedding"].float().cpu().numpy()
        return vectors


def batches(lengths: Sequence[int], most: int, together: int) -> Iterator[list[int]]:
    """Indexes in batches of near lengths, shortest first: at most `most` each, and `together` long once padded."""
    batch: list[int] = []
    for at in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) == most or (len(batch) + 1) * lengths[at] > together):
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch


def _digest(folder: Path | None) -> str:
    """Which weights these are, where they lie in a file of the usual name."""
    weights = folder / "model.safetensors" if folder else None
    if weights is None or not weights.is_file():
        return ""
    with weights.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()[:12]
