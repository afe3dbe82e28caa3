"""Query parameters that a route does not take: ignored, a misspelt `wait` would wait, and a filter would not filter."""

from fastapi import Request

from hybrid_memory.runtime.http.problems import FieldProblem, Problem


def refuse_unknown_parameters(request: Request) -> None:
    """Refuse query parameters that the document does not name for the route that was found.

    Raises:
        Problem: 422, each is named.
    """
    if not request.query_params:
        return  # the document need not be made
    known = _known(request)
    said = f"there is no such parameter here, only: {', '.join(known)}" if known else "no parameters are taken here"
    unknown = [FieldProblem(name[:100], said) for name in request.query_params if name not in known]
    if unknown:
        raise Problem.invalid(unknown)


def _known(request: Request) -> list[str]:
    path = request.app.openapi()["paths"].get(request.scope["route"].path_format, {})
    parameters = path.get(request.method.lower(), {}).get("parameters", [])
    return [parameter["name"] for parameter in parameters if parameter["in"] == "query"]
