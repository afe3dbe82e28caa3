"""An `If-Match` is `*`, or versions in quotes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from hybrid_memory.runtime.http.versions import IfMatch

IF_MATCH = TypeAdapter(IfMatch)
NUMBERS = st.integers(0, 2**53)
TAGS = st.builds('{}"{}.{}"'.format, st.sampled_from(["", "W/"]), NUMBERS, NUMBERS)


@given(st.lists(TAGS, min_size=1), st.sampled_from([",", ", ", " ,\t"]))
def test_versions(tags: list[str], between: str) -> None:
    header = between.join(tags)
    assert IF_MATCH.validate_python(header) == header


def test_any_version() -> None:
    assert IF_MATCH.validate_python(" * ") == " * "


@pytest.mark.parametrize(
    "header", ["1.0", "", "'1.0'", '"1.0', '1.0"', 'w/"1.0"', '"1.0" "1.1"', '"1.0",', '*, "1.0"', '"1.0"\n"', "W/1.0"]
)
def test_what_names_no_version(header: str) -> None:
    with pytest.raises(ValidationError, match=r'write it as the ETag has it, the quotes included: "1\.0"'):
        IF_MATCH.validate_python(header)
