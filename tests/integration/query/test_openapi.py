"""Requests made from the OpenAPI document, good ones and bad ones: every reply is one that the document names.

`HM_TEST_CASES` says how many are made up for each operation, beside those that cover each field's limits; with it they
are other ones each time.
"""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.config import SchemathesisConfig

from tests.integration.query.stack import Stack, running

ASKED = os.environ.get("HM_TEST_CASES")
CASES = int(ASKED or 20)
made: Counter[str] = Counter()
CONFIG = {
    "checks": {
        "positive_data_acceptance": {
            "expected-statuses": ["2xx", "304", "401", "403", "404", "412", "422"],
        }
    }
}
# What a schema cannot say: a pin needs classifiers, white space alone is no text, metadata has a size and a depth,
# a moment must be one in UTC too, cursors and positions are ours to make; letters are named or filtered (`body`), and
# their topic is one of ours. And schemathesis 4.32 calls a request good whose only header is of a wrong type.
MOMENTS = {"created_at", "expires_at", "created_from", "created_to"}
TEXTS = {"text", "context", "reason"}
BEYOND_SCHEMAS = {"pinned", "metadata", "cursor", "position", "topic", "type", "body", "if-match", *TEXTS, *MOMENTS}


@pytest.fixture(scope="module")
def stack(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(kafka, tmp_path_factory.mktemp("openapi")) as stack:
        yield stack


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture(scope="module")
def document(stack: Stack) -> Any:
    return schemathesis.openapi.from_url(f"{stack.url}/openapi.json", config=SchemathesisConfig.from_dict(CONFIG))


@pytest.fixture(scope="module", autouse=True)
def enough() -> Iterator[None]:
    yield
    assert made.total() >= 2000, made


@pytest.fixture(autouse=True)
def named(request: pytest.FixtureRequest) -> None:
    """schemathesis 4.32 wants an attribute that pytest 9.2 no longer has."""
    request.node._nodeid = request.node.nodeid


# Each replay that is made is a topic; tests/integration/replay makes some.
schema = schemathesis.pytest.from_fixture("document").exclude(method="POST", path="/v1/replays")


@schema.parametrize()
@settings(max_examples=CASES, derandomize=ASKED is None, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_reply_is_documented(case: Case[Any], stack: Stack, session: requests.Session) -> None:
    made[case.operation.label] += 1
    reply = case.call_and_validate(headers={"X-API-Key": stack.key}, session=session)
    if reply.status_code == 422 and case.meta is not None and case.meta.generation.mode.is_positive:
        for error in reply.json()["errors"]:
            assert set(error["field"].split(".")) & BEYOND_SCHEMAS, reply.text
