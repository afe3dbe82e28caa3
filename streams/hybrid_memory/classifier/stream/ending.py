"""How the process ends when it must not go on: at once, so that nothing undone is taken for done."""

import logging
import os
import sys
from typing import NoReturn

FAULT = 70
"""Exit code (EX_SOFTWARE) of a process that is to be started again; what it had in flight is done again then."""

_LOG = logging.getLogger(__name__)


def die(why: str, error: BaseException | None = None, code: int = FAULT) -> NoReturn:
    """Say why, with the error's traceback in the log, and end this process without any clearing up."""
    try:
        _LOG.critical("the stream ends: %s", why, exc_info=error)
        for handler in logging.getLogger().handlers:
            handler.flush()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
