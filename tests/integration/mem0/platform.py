"""A stand-in for Mem0's hosted platform, complete enough for the real `MemoryClient` and `AsyncMemoryClient`.

What it answers follows Mem0's public API documents (facts: paths, shapes, status codes); `faults` says what goes wrong.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.integration.mem0.platform_faults import Faults, Webhooks
from tests.integration.mem0.platform_store import ENTITIES, Row, Store, shown
from tests.unit.classifier.serving import served

KEY = "m0-a-key-that-nobody-may-ever-read"
ORG, PROJECT = "org_1", "proj_1"


class FakePlatform:
    """One project. `store` is what it holds, `url` where it is."""

    def __init__(self, key: str = KEY, project: str = PROJECT) -> None:
        self.key, self.project = key, project
        self.url = ""
        self.faults = Faults()
        self.webhooks = Webhooks(self.faults)
        self.store = Store(self.webhooks.notice)
        self.requests: dict[str, int] = {}
        """How often each route was called by others than Mem0's own clients."""
        self.jobs: dict[str, dict[str, Any]] = {}
        self.categorise = False
        """Whether an inferred memory gets categories some time later."""
        self._later: set[asyncio.Task[None]] = set()

    @contextmanager
    def running(self) -> Iterator["FakePlatform"]:
        """Served on a free port while the context lasts."""
        try:
            with served(self.app()) as url:
                self.url = url
                yield self
        finally:
            self.webhooks.close()

    def called(self, path: str) -> int:
        """How often that route was called by others than Mem0's own clients."""
        return self.requests.get(path, 0)

    def app(self) -> FastAPI:
        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            yield
            await asyncio.gather(*self._later)

        app = FastAPI(redirect_slashes=False, lifespan=lifespan, docs_url=None, openapi_url=None)

        self._memory_routes(app)
        self._listing_routes(app)
        self._webhook_routes(app)
        app.add_middleware(Door, platform=self)
        return app

    def count(self, path: str) -> None:
        """That route was called by others than Mem0's own clients."""
        self.requests[path] = self.requests.get(path, 0) + 1

    async def fault(self) -> Response | None:
        """What goes wrong with the next request of others than Mem0's own clients."""
        faults = self.faults
        if faults.happens("slow"):
            await asyncio.sleep(faults.slow_seconds)
        if faults.happens("limited"):
            return JSONResponse({"detail": "slow down"}, 429, headers={"Retry-After": str(faults.retry_after)})
        if faults.happens("failing"):
            return Response("<html>oops</html>", 500, media_type="text/html")
        return None

    def _memory_routes(self, app: FastAPI) -> None:
        store = self.store

        @app.get("/v1/ping/")
        async def ping() -> dict[str, Any]:
            return {"status": "ok", "org_id": ORG, "project_id": self.project, "user_email": "dev@example.org"}

        @app.post("/v3/memories/add/")
        async def add(body: dict[str, Any]) -> dict[str, Any]:
            if not any(body.get(entity) for entity in ENTITIES):
                raise HTTPException(400, "at least one of user_id, agent_id, app_id, run_id is needed")
            texts = [str(message["content"]) for message in body["messages"]]
            event_id = str(uuid.uuid4())
            if body.get("infer", True):
                self._later_on(self._infer(event_id, texts, body))
                return {"message": "Memory processing has been queued", "status": "PENDING", "event_id": event_id}
            rows = [self._added(text, body) for text in texts]
            results = [{"id": row["id"], "data": {"memory": row["memory"]}, "event": "ADD"} for row in rows]
            return {"message": "ok", "status": "SUCCEEDED", "event_id": event_id, "results": results}

        @app.get("/v1/memories/events/")
        async def events(page: int = 1, limit: int = 100) -> dict[str, Any]:
            return _page(store.events(), page, min(limit, 100))

        @app.get("/v1/memories/{memory_id}/")
        async def get(memory_id: str) -> Row:
            return shown(_found(store.get(memory_id)))

        @app.put("/v1/memories/{memory_id}/")
        async def update(memory_id: str, body: dict[str, Any]) -> Row:
            return shown(_found(store.change(memory_id, **_changes(body))))

        @app.delete("/v1/memories/{memory_id}/")
        async def delete(memory_id: str) -> dict[str, str]:
            if not store.delete(memory_id):
                raise HTTPException(404, "Memory not found")
            return {"message": "Memory deleted successfully!"}

        @app.delete("/v1/memories/")
        async def delete_all(request: Request) -> dict[str, str]:
            filters = {entity: request.query_params[entity] for entity in ENTITIES if entity in request.query_params}
            if not filters:
                raise HTTPException(400, "at least one filter is needed")
            for row in store.find(filters, show_expired=True):
                store.delete(row["id"])
            return {"message": "Memories deleted successfully!"}

        @app.get("/v1/memories/{memory_id}/history/")
        async def history(memory_id: str) -> list[Row]:
            return store.events(memory_id)[::-1]

        @app.put("/v1/batch/")
        async def batch_update(body: dict[str, Any]) -> dict[str, str]:
            for item in body["memories"]:
                _found(store.change(item["memory_id"], **_changes(item)))
            return {"message": f"Successfully updated {len(body['memories'])} memories"}

        @app.delete("/v1/batch/")
        async def batch_delete(body: dict[str, Any]) -> dict[str, str]:
            for item in body["memories"]:
                store.delete(item["memory_id"])
            return {"message": f"Successfully deleted {len(body['memories'])} memories"}

        @app.get("/v1/event/{event_id}/")
        async def event(event_id: str) -> Any:
            return _found(self.jobs.get(event_id))

    def _listing_routes(self, app: FastAPI) -> None:
        store = self.store

        @app.post("/v3/memories/")
        async def get_all(body: dict[str, Any], page: int = 1, page_size: int = 100) -> dict[str, Any]:
            filters = body.get("filters") or {}
            if not any(entity in str(filters) for entity in ENTITIES):
                raise HTTPException(400, "filters need at least one of user_id, agent_id, app_id, run_id")
            rows = store.find(filters, bool(body.get("show_expired")), bool(body.get("latest_only")))
            return _page(rows, page, min(page_size, 200), shown)

        @app.post("/v3/memories/search/")
        async def search(body: dict[str, Any]) -> dict[str, Any]:
            words = set(str(body["query"]).lower().split())
            rows = store.find(body.get("filters") or {})
            scored = [{**row, "score": len(words & set(row["memory"].lower().split())) / len(words)} for row in rows]
            scored.sort(key=lambda row: -row["score"])
            return {"results": [row for row in scored if row["score"]][: body.get("top_k", 10)]}

        @app.get("/v1/entities/")
        async def entities() -> dict[str, Any]:
            return _page(store.entities(), 1, 1_000_000)

        @app.delete("/v2/entities/{kind}/{name}/")
        async def delete_entity(kind: str, name: str) -> dict[str, str]:
            for row in store.find({f"{kind}_id": name}, show_expired=True):
                store.delete(row["id"])
            return {"message": "Entity deleted successfully!"}

    def _webhook_routes(self, app: FastAPI) -> None:
        hooks = self.webhooks.hooks

        @app.get("/api/v1/webhooks/projects/{project_id}/")
        async def listed(project_id: str) -> list[dict[str, Any]]:
            self._mine(project_id)
            return list(hooks.values())

        @app.post("/api/v1/webhooks/projects/{project_id}/")
        async def create(project_id: str, body: dict[str, Any]) -> dict[str, Any]:
            self._mine(project_id)
            hook = {"webhook_id": f"wh_{uuid.uuid4().hex[:8]}", "project": project_id, "is_active": True, **body}
            hooks[hook["webhook_id"]] = hook
            return hook

        @app.put("/api/v1/webhooks/{webhook_id}/")
        async def change(webhook_id: str, body: dict[str, Any]) -> dict[str, str]:
            _found(hooks.get(webhook_id)).update(body)
            return {"message": "Webhook updated successfully"}

        @app.delete("/api/v1/webhooks/{webhook_id}/")
        async def remove(webhook_id: str) -> dict[str, str]:
            _found(hooks.pop(webhook_id, None))
            return {"message": "Webhook deleted successfully"}

    def _mine(self, project_id: str) -> None:
        if project_id != self.project:
            raise HTTPException(404, "Project not found")

    def _added(self, text: str, body: dict[str, Any]) -> Row:
        row = self.store.add(text, body)
        if self.faults.happens("superseded"):
            older = [old for old in self.store.find({"user_id": row["user_id"]}) if old["id"] != row["id"]]
            if older:
                self.store.retire(older[-1]["id"], "superseded", row["id"])
        return row

    async def _infer(self, event_id: str, texts: list[str], body: dict[str, Any]) -> None:
        job = self.jobs[event_id] = {"id": event_id, "event_type": "ADD", "status": "PENDING", "results": []}
        await asyncio.sleep(0.02)
        rows = [self._added(text, body) for text in texts]
        job.update(status="SUCCEEDED", results=[{"id": row["id"], "event": "ADD"} for row in rows])
        if self.categorise:
            await asyncio.sleep(0.05)
            for row in rows:
                self.store.change(row["id"], "CATEGORIZE", categories=["personal_details"])

    def _later_on(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)


class Door:
    """Lets in who has the key, and lets go wrong what is to go wrong."""

    def __init__(self, app: ASGIApp, platform: FakePlatform) -> None:
        self._app, self._platform = app, platform

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        own_client = "x-mem0-client" in headers
        refusal: Response | None = None
        if headers.get("authorization") != f"Token {self._platform.key}":
            refusal = JSONResponse({"detail": "Invalid API key."}, 401)
        elif not own_client:
            refusal = await self._platform.fault()
        await (refusal or self._app)(scope, receive, send)
        if refusal is None and not own_client:
            self._platform.count(str(getattr(scope.get("route"), "path", scope["path"])))


def _changes(body: dict[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {key: body[key] for key in ("metadata", "expiration_date") if key in body}
    return {**changes, "memory": body["text"]} if "text" in body else changes


def _page(rows: list[Row], number: int, size: int, show: Callable[[Row], Row] = dict) -> dict[str, Any]:
    begin = (number - 1) * size
    if number > 1 and begin >= len(rows):
        raise HTTPException(404, "Invalid page.")
    more = begin + size < len(rows)
    return {
        "count": len(rows),
        "next": f"?page={number + 1}" if more else None,
        "previous": f"?page={number - 1}" if number > 1 else None,
        "results": [show(row) for row in rows[begin : begin + size]],
    }


def _found(item: Any) -> Any:
    if item is None:
        raise HTTPException(404, "Not found.")
    return item
