"""What can go wrong on one machine beyond a Refusal."""


class BrokerError(RuntimeError):
    """The broker died or did not answer in time; the message ends with the last lines of its log."""
