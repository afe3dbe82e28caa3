"""Headers that keep browsers from doing more with a reply than it is meant for."""

import inspect
from urllib.parse import urlsplit

from fastapi.openapi.docs import get_swagger_ui_html
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def _page_policy() -> str:
    """For the page at /docs: its own script and style, and the places that FastAPI takes them from."""
    parameters = inspect.signature(get_swagger_ui_html).parameters
    places = {name: _origin(parameters[f"swagger_{name}_url"].default) for name in ("js", "css", "favicon")}
    return (
        f"{_NOTHING}; connect-src 'self'; script-src 'unsafe-inline' {places['js']}; "
        f"style-src 'unsafe-inline' {places['css']}; img-src data: {places['favicon']}"
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class SecurityHeaders:
    """ASGI middleware: replies are not stored, not sniffed, not framed, and run nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._page = _page_policy()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_page = headers.get("content-type", "").startswith("text/html")
                headers.setdefault("Content-Security-Policy", self._page if is_page else _NOTHING)
                headers.setdefault("Cache-Control", "no-store")
                headers.setdefault("Referrer-Policy", "no-referrer")
                headers.setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        await self._app(scope, receive, hardened)
