"""Errors of the tap.

OutboxFull   a change cannot be kept; raised into the application's call only where it asked for that
"""


class OutboxFull(Exception):  # noqa: N818
    """The outbox has no room for a change, or the disk does not take it. Mem0's store was not changed."""
