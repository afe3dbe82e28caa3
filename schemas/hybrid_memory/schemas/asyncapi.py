"""The AsyncAPI 3.0 document of the topics, made from the registry and the examples."""

from collections.abc import Iterator
from typing import Any

from hybrid_memory.schemas.codec import IF_SEQ
from hybrid_memory.schemas.examples import iter_examples
from hybrid_memory.schemas.registry import MessageSpec, Registry, TopicSpec

CONTRACT_VERSION = "1.0.0"
SCHEMAS = "../schemas/hybrid_memory/schemas"
"""Where the schema files lie, seen from the document."""

# The keys that the binding of this version knows; the others follow as an extension.
_BINDING = {"bindingVersion": "0.5.0"}
_BINDING_KEYS = {"retention.ms", "delete.retention.ms", "max.message.bytes"}
_TEXT = {"type": "string"}


def asyncapi(registry: Registry) -> dict[str, Any]:
    """The document as plain data, ready to be written as YAML."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Hybrid Memory topics",
            "version": CONTRACT_VERSION,
            "description": "Generated from the topic registry. Topic names may carry a prefix on a cluster.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in registry},
        "operations": {name: value for topic in registry for name, value in _operations(topic)},
        "components": {
            "messages": {message.id: _message(topic, message) for topic in registry for message in topic.messages}
            | {"deadLetter": _dead_letter()},
            "schemas": {"CloudEventHeaders": _cloud_event_headers(), "DeadLetterHeaders": _dead_letter_headers()},
        },
    }


def _channel(topic: TopicSpec) -> dict[str, Any]:
    names = [message.id for message in topic.messages] or ["deadLetter"]
    each = topic.one_for_each
    parameters = {} if each is None else {"parameters": {each: {"description": f"The id of a {each}."}}}
    return parameters | {
        "address": topic.name if each is None else f"{topic.name}.{{{each}}}",
        "description": topic.purpose,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"kafka": _kafka(topic)},
    }


def _kafka(topic: TopicSpec) -> dict[str, Any]:
    known: dict[str, Any] = {key: int(topic.config[key]) for key in sorted(_BINDING_KEYS & topic.config.keys())}
    known["cleanup.policy"] = topic.config["cleanup.policy"].split(",")
    rest = {key: value for key, value in topic.config.items() if key not in known}
    return {"partitions": topic.partitions, "topicConfiguration": known, "x-topic-configuration": rest} | _BINDING


def _operations(topic: TopicSpec) -> Iterator[tuple[str, dict[str, Any]]]:
    word = "".join(part.capitalize() for part in topic.name.split("."))
    for action, components in (("send", topic.producers), ("receive", topic.consumers)):
        if components:
            yield (
                f"{action}{word}",
                {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{topic.name}"},
                    "summary": f"By {', '.join(components)}.",
                },
            )


def _message(topic: TopicSpec, message: MessageSpec) -> dict[str, Any]:
    value: dict[str, Any] = {
        "name": message.type,
        "summary": message.summary,
        "contentType": "application/json",
        "headers": {
            "allOf": [
                {"$ref": "#/components/schemas/CloudEventHeaders"},
                {"type": "object", "properties": {"ce_type": {"const": message.type}}},
            ]
        },
        "bindings": {"kafka": {"key": _TEXT | {"description": topic.key}} | _BINDING},
    }
    if message.schema_file is None:
        return value | {"payload": {"type": "null", "description": "A tombstone: the record has no value."}}
    payload = {
        "schemaFormat": "application/schema+json;version=draft-2020-12",
        "schema": {"$ref": f"{SCHEMAS}/{message.schema_file}"},
    }
    examples = [{"name": example.name, "payload": example.json()} for example in iter_examples(message.id)]
    return value | {"payload": payload, "examples": examples}


def _dead_letter() -> dict[str, Any]:
    return {
        "name": "deadLetter",
        "summary": "A record that can never be applied, as it came, with headers about the error.",
        "headers": {"$ref": "#/components/schemas/DeadLetterHeaders"},
        "payload": {"description": "Any bytes, or none."},
        "bindings": {"kafka": {"key": _TEXT} | _BINDING},
    }


def _cloud_event_headers() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "CloudEvents' Kafka binding 1.0, binary mode, with the W3C trace context.",
        "required": ["ce_specversion", "ce_id", "ce_source", "ce_type"],
        "properties": {
            "ce_specversion": {"const": "1.0"},
            "ce_id": _TEXT,
            "ce_source": _TEXT | {"format": "uri-reference"},
            "ce_type": _TEXT,
            "ce_time": _TEXT | {"format": "date-time"},
            "ce_subject": _TEXT | {"description": "The memory_id."},
            "ce_dataschema": _TEXT | {"format": "uri"},
            "content-type": _TEXT,
            "traceparent": _TEXT,
            "tracestate": _TEXT,
            IF_SEQ: _TEXT | {"pattern": "^[0-9]+$", "description": "Apply only where the point's seq is not higher."},
        },
    }


def _dead_letter_headers() -> dict[str, Any]:
    connect = ("topic", "partition", "offset", "stage", "exception.class.name", "exception.message")
    ours = ("hm-attempts", "hm-first-failed-at", "hm-redrive-count", "hm-left-out", "hm-state")
    return {
        "type": "object",
        "description": "The record's own headers, and these.",
        "properties": {f"__connect.errors.{name}": _TEXT for name in (*connect, "exception.stacktrace")}
        | {"hm-error-class": {"enum": ["poison", "schema", "policy", "limit"]}}
        | dict.fromkeys(ours, _TEXT),
    }
