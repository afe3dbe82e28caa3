"""What can go wrong in a demo beyond what its parts say themselves."""


class DemoFailed(RuntimeError):  # noqa: N818  reads as what happened
    """The system did not do its work; one sentence says where it stopped."""
