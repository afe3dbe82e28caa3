"""A stand-in for Mem0's platform and for a classifier service of known speed, on one port: fixed answers alone."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hybrid_memory.local.ports import LOOPBACK

KEY = "m0-bench"
_LONG_AGO = "2026-01-01T00:00:00+00:00"


@dataclass
class Platform:
    """So many memories of a hundred users, never changing. `asked` is when each page was asked for."""

    memories: int
    texts: Sequence[str]
    rate: float = 1e9
    """Texts a second of the classifier."""
    url: str = ""
    asked: list[float] = field(default_factory=list)
    classifying_seconds: float = 0.0

    def page(self, filters: str, number: int, size: int) -> dict[str, Any]:
        """A page of the memories; all have a user, none an agent, an app or a run, and all are old."""
        count = self.memories if '"user_id"' in filters and '"gte"' not in filters else 0
        if count:
            self.asked.append(time.monotonic())
        places = range((number - 1) * size, min(number * size, count))
        return {"count": count, "next": None, "results": [self._row(place) for place in places]}

    def classify(self, texts: Sequence[str]) -> dict[str, Any]:
        """The same classifiers for every text, after as long as so many take."""
        time.sleep(len(texts) / self.rate)
        self.classifying_seconds += len(texts) / self.rate
        return {"results": [{"text": text, "classifiers": ["asleep"]} for text in texts]}

    def _row(self, place: int) -> dict[str, Any]:
        return {
            "id": f"00000000-0000-4000-8000-{place:012}",
            "memory": f"{place}: {self.texts[place % len(self.texts)]}",
            "user_id": f"user-{place % 100}",
            "metadata": {"trip": place},
            "categories": ["travel"],
            "created_at": _LONG_AGO,
            "updated_at": _LONG_AGO,
        }

    @contextmanager
    def running(self) -> Iterator["Platform"]:
        """Served on a free port while the context lasts."""
        platform = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer({"status": "ok", "org_id": "bench", "project_id": "bench", "batch_size": 16})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                address = urlsplit(self.path)
                if address.path.endswith("classify_batch"):
                    self._answer(platform.classify(json.loads(body)["texts"]))
                    return
                query = {name: int(value) for name, [value] in parse_qs(address.query).items()}
                self._answer(platform.page(body.decode(), query["page"], query["page_size"]))

            def _answer(self, said: dict[str, Any]) -> None:
                text = json.dumps(said).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                """Nobody reads it."""

        server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        server.daemon_threads = True
        self.url = f"http://{LOOPBACK}:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, name="bench-mem0", daemon=True).start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
