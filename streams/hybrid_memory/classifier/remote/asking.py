"""The first question to a server: what it can do."""

import logging
from typing import Protocol, TypeVar

from hybrid_memory.runtime.errors import Unavailable

_LOG = logging.getLogger(__name__)


class _Asks(Protocol):
    def find_out(self) -> None: ...
    def close(self) -> None: ...


_Remote = TypeVar("_Remote", bound=_Asks)


def found_out(classifier: _Remote) -> _Remote:
    """The classifier, once its server has said what it can do; one that is away is asked again when there are texts.

    Raises:
        Refusal: it does not let us in, or is none of its kind; the classifier is closed.
    """
    try:
        classifier.find_out()
    except Unavailable as away:
        _LOG.warning("%s", away)
    except BaseException:
        classifier.close()
        raise
    return classifier
