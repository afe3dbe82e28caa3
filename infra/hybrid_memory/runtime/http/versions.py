"""`If-Match` (RFC 9110), read strictly: a version without its quotes names none, and would be refused for ever."""

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

_TAG = r'(W/)?"[!#-~]*"'
_FORM = rf"^(\*|{_TAG}([ \t]*,[ \t]*{_TAG})*)$"


def _checked(header: str | None) -> str | None:
    if header is not None and re.fullmatch(_FORM, header.strip()) is None:
        raise PydanticCustomError("version", 'write it as the ETag has it, the quotes included: "1.0"')
    return header


IfMatch = Annotated[str | None, AfterValidator(_checked), WithJsonSchema({"type": "string", "pattern": _FORM})]
"""The value of an `If-Match`: `*`, or versions in quotes. None where there is none; sent, it is never null."""
