"""What every refusal of the API looks like."""

import httpx


def check_problem(reply: httpx.Response, status: int, *fields: str) -> None:
    """An RFC 9457 problem of this status that names these fields and tells nothing of our insides."""
    assert reply.status_code == status, reply.text[:500]
    assert reply.headers["content-type"] == "application/problem+json"
    body = reply.json()
    assert body["status"] == status
    assert all(isinstance(body[name], str) and body[name] for name in ("type", "title", "detail", "instance"))
    assert "Traceback" not in reply.text
    if fields:
        assert sorted({error["field"] for error in body["errors"]}) == sorted(fields)
        assert all(error["message"] for error in body["errors"])
