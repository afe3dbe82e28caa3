"""What is generated is checked in, and says what its sources say."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from hybrid_memory.schemas.asyncapi import asyncapi
from hybrid_memory.schemas.generate import PACKAGE, ROOT, main, release, stale, write
from hybrid_memory.schemas.json_schema import MODELS, json_schema
from hybrid_memory.schemas.registry import load_registry


def test_nothing_generated_is_stale() -> None:
    assert stale() == [], "run python -m hybrid_memory.schemas.generate"
    assert main(["--check"]) == 0


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / PACKAGE / "json", tmp_path / PACKAGE / "json")
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    return tmp_path


def test_a_file_that_differs_is_seen_and_written_anew(checkout: Path) -> None:
    schema = PACKAGE / "json/memory.upserted.v1.schema.json"
    (checkout / schema).write_text((checkout / schema).read_text().replace("256", "257", 1))
    (checkout / "docs/asyncapi.yaml").unlink()
    assert stale(checkout) == [schema, Path("docs/asyncapi.yaml")]
    assert write(checkout) == [schema, Path("docs/asyncapi.yaml")]
    assert stale(checkout) == []
    assert (checkout / schema).read_text() == (ROOT / schema).read_text()


def test_a_release_is_kept_once(checkout: Path) -> None:
    release("9.9.9", checkout)
    kept = checkout / PACKAGE / "json/baseline/9.9.9/memory.upserted.v1.schema.json"
    assert kept.read_text() == (ROOT / PACKAGE / "json/memory.upserted.v1.schema.json").read_text()
    with pytest.raises(FileExistsError, match="what was released does not change"):
        release("9.9.9", checkout)


@pytest.mark.parametrize("message", sorted(MODELS))
def test_a_json_schema_says_what_it_is_and_lets_unknown_fields_pass(message: str) -> None:
    schema = json_schema(message)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:hybrid-memory:schema:{message}"
    assert schema["title"] == message
    assert "additionalProperties" not in schema
    assert all("description" in field or "$ref" in field for field in schema["properties"].values())


def test_the_limits_of_a_memory_are_in_its_json_schema() -> None:
    fields = json_schema("memory.upserted.v1")["properties"]
    assert (fields["user_id"]["minLength"], fields["user_id"]["maxLength"]) == (1, 256)
    assert (fields["memory_id"]["minLength"], fields["memory_id"]["maxLength"]) == (1, 256)
    assert (fields["text"]["minLength"], fields["text"]["maxLength"]) == (1, 16_384)
    labels = fields["classifiers"]["anyOf"][0]
    assert (labels["maxItems"], labels["items"]["minLength"], labels["items"]["maxLength"]) == (16, 1, 64)
    assert "16384 bytes" in fields["metadata"]["description"]
    assert fields["created_at"]["format"] == "date-time"
    assert "pattern" in fields["user_id"]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = yaml.safe_load((ROOT / "docs/asyncapi.yaml").read_text(encoding="utf-8"))
    assert document == asyncapi(load_registry())
    for reference in references(document):
        if not reference.startswith("#/"):
            assert (ROOT / "docs" / reference).is_file(), reference
            continue
        node = document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_the_asyncapi_document_shows_every_topic_and_message() -> None:
    document = asyncapi(load_registry())
    assert document["asyncapi"] == "3.0.0"
    assert tuple(document["channels"]) == load_registry().list()
    assert document["components"]["messages"]["memory.deleted.v1"]["payload"]["type"] == "null"
    assert document["operations"]["sendMemories"]["summary"] == "By client, ingest, sink."
    assert "receiveDlqMemories" not in document["operations"]
