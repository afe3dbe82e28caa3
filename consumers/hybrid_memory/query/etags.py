"""Versions of memories in HTTP's words (RFC 9110): `ETag`, `If-Match`, `If-None-Match`. Pure."""

import re

from hybrid_memory.index.points import Point

_TAG = re.compile(r'(W/)?"([^"]*)"')


def etag_of(point: Point) -> str:
    """The version of a memory: when it was said, and which classifiers it has."""
    return f'"{point.seq}.{point.generation}"'


def matches(header: str, etag: str) -> bool:
    """Whether an `If-Match` names this version; a weak tag names none."""
    return header.strip() == "*" or any(not weak and f'"{tag}"' == etag for weak, tag in _TAG.findall(header))


def unchanged(header: str, etag: str) -> bool:
    """Whether an `If-None-Match` names this version, weakly or not."""
    return header.strip() == "*" or any(f'"{tag}"' == etag for _, tag in _TAG.findall(header))
