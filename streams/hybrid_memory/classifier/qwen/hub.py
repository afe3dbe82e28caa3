"""The model hub: what of it is on this machine, whether it answers, and fetching from it."""

import logging
import sys
from pathlib import Path
from typing import Any

from hybrid_memory.runtime.errors import Refusal

_LOG = logging.getLogger(__name__)

_FILES = ["config.json", "generation_config.json", "tokenizer*", "vocab.json", "merges.txt", "chat_template*",
          "*.safetensors", "*.safetensors.index.json"]  # fmt: skip
_PATIENCE_S = 3.0
_LOG_EVERY_S = 5.0


def is_complete(folder: Path) -> bool:
    """Whether a folder has all parts of a model: configuration, tokenizer, weights."""
    has_tokenizer = (folder / "tokenizer.json").is_file() or (folder / "vocab.json").is_file()
    return (folder / "config.json").is_file() and has_tokenizer and any(folder.glob("*.safetensors"))


def cached(model: str, revision: str | None) -> Path | None:
    """The model as an earlier download left it on this machine, if it is whole."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        folder = Path(snapshot_download(model, revision=revision, local_files_only=True))
    except (OSError, HFValidationError):  # not there, or no name that a hub could have
        return None
    return folder if is_complete(folder) else None


def refuses(model: str, revision: str | None, endpoint: str | None = None) -> str | None:
    """Why the hub cannot give this model, in a sentence; None where it can. Blocks for some seconds at most."""
    import httpx
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RevisionNotFoundError

    if constants.is_offline_mode():
        return "it is not in the cache of this machine, and HF_HUB_OFFLINE forbids to ask the hub"
    try:
        found = HfApi(endpoint=endpoint).model_info(model, revision=revision, timeout=_PATIENCE_S)
    except HFValidationError:
        return "it is no folder, and no name that a model hub could have"
    except RevisionNotFoundError:
        return f"the model hub has no revision {revision} of it"
    except HfHubHTTPError as error:
        return f"the model hub refuses it with status {error.response.status_code}"
    except (httpx.HTTPError, OSError):
        return "it is not on this machine, and the model hub does not answer"
    names = [file.rfilename for file in found.siblings or []]
    return None if any(name.endswith(".safetensors") for name in names) else "the model hub has no safetensors of it"


def download(model: str, revision: str | None, endpoint: str | None = None) -> Path:
    """Fetch what a model needs into the hub's cache on this machine, with a bar on a terminal and log lines elsewhere.

    Raises:
        Refusal: it broke off; what has come is kept.
    """
    import httpx
    from huggingface_hub import snapshot_download

    bar = None if sys.stderr.isatty() else _logged()
    _LOG.info("downloading the model %s", model)
    try:
        return Path(
            snapshot_download(model, revision=revision, allow_patterns=_FILES, tqdm_class=bar, endpoint=endpoint)
        )
    except (httpx.HTTPError, OSError, RuntimeError) as error:
        reason = str(error).strip().split("\n", 1)[0]
        raise Refusal(f"the download of {model} broke off ({reason}); start again, what has come is kept") from None


def _logged() -> Any:
    """A progress bar that writes a line to the log now and then."""
    from huggingface_hub.utils.tqdm import tqdm

    class Logged(tqdm):
        def __init__(self, *args: Any, **how: Any) -> None:
            super().__init__(*args, **{**how, "mininterval": _LOG_EVERY_S, "leave": False})  # type: ignore[no-untyped-call]

        def display(self, *_: Any, **__: Any) -> None:
            if self.unit == "B" and self.n:
                _LOG.info("downloaded %.0f of %.0f MB", self.n / 1e6, (self.total or self.n) / 1e6)

    return Logged
