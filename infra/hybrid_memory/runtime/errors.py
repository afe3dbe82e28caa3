"""Errors that every process shares.

Refusal        the process cannot start or go on as asked; one sentence says why and what to do (exit code 2)
Unavailable    something that we need is away for a while: back off and try again
"""


class Refusal(Exception):  # noqa: N818  a refusal is not a fault of the program
    """What was asked cannot be done here; the message is one sentence for the person who asked."""


class Unavailable(Exception):  # noqa: N818  the word of the HTTP status
    """Something that we need is away for a while.

    `retry_after` is the advised wait in seconds.
    """

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
