"""Why a credential is not taken."""


class NotAccepted(Exception):  # noqa: N818  not a fault of the program
    """A credential that opens nothing. The message is for the caller: it repeats nothing of the credential.

    `reason` is for the log: a word or two, as safe as the message.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
