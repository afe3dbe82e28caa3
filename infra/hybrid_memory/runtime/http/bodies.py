"""JSON bodies, read strictly: the right media type, JSON as it is written, no value taken for another type."""

from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from hybrid_memory.runtime.http.problems import FieldProblem, Problem, validation_problem

_M = TypeVar("_M", bound=BaseModel)


async def read_json(request: Request, model: type[_M]) -> _M:
    """The body as `model`.

    Raises:
        Problem: 415 not declared as JSON, 400 not JSON, 422 not of this model (every wrong field is named).
    """
    if not _is_json(request.headers.get("content-type", "")):
        raise Problem(415, "send the body as JSON, with content-type: application/json")
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        malformed = error.error_count() == 1 and error.errors(include_input=False)[0]["type"] == "json_invalid"
        raise validation_problem(error, 400 if malformed else 422) from None
    except ClientDisconnect:
        raise Problem(400, "the body did not arrive whole", errors=[FieldProblem("body", "not whole")]) from None


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` of a route that reads this model by :func:`read_json`."""
    schema = model.model_json_schema()
    content = {"application/json": {"schema": _inlined(schema, schema.pop("$defs", {}))}}
    return {"requestBody": {"required": True, "content": content}}


def _is_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))


def _inlined(schema: Any, defs: dict[str, Any]) -> Any:
    """The schema with each reference replaced by what it names; one within OpenAPI would lead nowhere."""
    if isinstance(schema, list):
        return [_inlined(item, defs) for item in schema]
    if not isinstance(schema, dict):
        return schema
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    if name == "JsonValue":
        return {}
    return _inlined(defs[name], defs) if name in defs else {key: _inlined(item, defs) for key, item in schema.items()}
