"""An OpenAI-compatible server for tests: it answers by key words, and differs from others as vLLM, llama.cpp and
Ollama differ."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Style = Literal["takes a schema", "refuses a schema", "ignores a schema", "fenced", "spaced"]
STYLES: tuple[Style, ...] = ("takes a schema", "refuses a schema", "ignores a schema", "fenced", "spaced")

_WORDS = {"food": "food preference", "thai": "thai cuisine", "sister": "family", "lisbon": "residence", "tea": "drink"}


class ModelServer:
    """Keeps the bodies that it got. `fails` may answer a request otherwise, by the text that is asked about."""

    def __init__(self, style: Style = "takes a schema", models: tuple[str, ...] = ("tiny-1",)) -> None:
        self.style = style
        self.models = models
        self.key: str | None = None
        self.fails: Callable[[str], Response | str | None] = lambda text: None
        self.delay = 0.0
        self.asked: list[dict[str, Any]] = []
        self.running = 0
        self.most = 0
        self.app = Starlette(
            routes=[Route("/v1/models", self._models), Route("/v1/chat/completions", self._chat, methods=["POST"])]
        )

    def texts(self) -> list[str]:
        """The last turn of each request."""
        return [body["messages"][-1]["content"] for body in self.asked]

    async def _models(self, request: Request) -> Response:
        return self._refused(request) or JSONResponse({"object": "list", "data": [{"id": m} for m in self.models]})

    async def _chat(self, request: Request) -> Response:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self.delay)
            return self._refused(request) or self._answer(json.loads(await request.body()))
        finally:
            self.running -= 1

    def _refused(self, request: Request) -> Response | None:
        wrong = self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}"
        return JSONResponse({"error": {"message": "no such key"}}, 401) if wrong else None

    def _answer(self, body: dict[str, Any]) -> Response:
        self.asked.append(body)
        text = body["messages"][-1]["content"]
        failure = self.fails(text)
        if isinstance(failure, Response):
            return failure
        as_json = "response_format" in body
        if as_json and self.style == "refuses a schema":
            return JSONResponse({"error": {"message": "response_format is not supported"}}, 400)
        if body["model"] not in self.models:
            return JSONResponse({"error": {"message": "no such model"}}, 404)
        content = failure if failure is not None else self._written(text, as_json)
        choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
        return JSONResponse({"choices": [choice], "usage": {"prompt_tokens": 20, "total_tokens": 25}})

    def _written(self, text: str, as_json: bool) -> str:
        labels = [label for word, label in _WORDS.items() if word in text.lower()]
        if self.style == "ignores a schema" or not as_json:
            return ", ".join(labels) or "none"
        written = json.dumps({"classifiers": labels})
        if self.style == "fenced":
            return f"```json\n{written}\n```"
        return f"\n\n  {json.dumps({'classifiers': labels}, indent=4)}\n\n\n" if self.style == "spaced" else written
