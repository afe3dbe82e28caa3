"""The page at /docs with all that it is made of, so that it needs no internet and nobody else's script runs in it."""

import re
from base64 import b64encode
from hashlib import sha256

from fastapi import FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.staticfiles import StaticFiles

from hybrid_memory.runtime.http.headers import NOTHING

_ASSETS = "docs/assets"


def add_docs_page(app: FastAPI) -> None:
    """Serve the page, for an app that is made with `docs_url=None`."""
    page = _page(app.title)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return page

    app.mount(f"/{_ASSETS}", StaticFiles(packages=[("fastapi_offline", "static")]))


def _page(title: str) -> Response:
    # Without a leading slash, so that they are found behind a proxy's prefix too.
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=title,
        swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{_ASSETS}/favicon.png",
    )
    page.headers["Content-Security-Policy"] = _policy(bytes(page.body).decode())
    return page


def _policy(page: str) -> str:
    """Of scripts, our file and the one that stands in the page."""
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    own = f"script-src 'self' 'sha256-{digest}'; style-src 'self'; img-src 'self' data:; connect-src 'self'"
    return f"{NOTHING}; {own}"
