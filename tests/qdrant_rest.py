"""As much of Qdrant's REST interface as `hm mem0 tail` asks, over qdrant-client's local mode."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def served(client: Any, key: str | None = None) -> Iterator[str]:
    """The address of a Qdrant that has the collections of `client`."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Says nothing."""

        def do_GET(self) -> None:
            self._reply(lambda name: {"points_count": client.get_collection(name).points_count})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path.endswith("/scroll"):
                self._reply(lambda name: _scrolled(*client.scroll(name, limit=body["limit"], offset=body["offset"])))
            else:
                self._reply(lambda name: [_point(one) for one in client.retrieve(name, ids=body["ids"])])

        def _reply(self, answer: Any) -> None:
            status, said = 200, {}
            try:
                if key is not None and self.headers.get("api-key") != key:
                    status = 401
                else:
                    said = {"result": answer(self.path.split("/")[2])}
            except ValueError:
                status = 404
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _point(point: Any) -> dict[str, Any]:
    return {"id": str(point.id), "payload": point.payload}


def _scrolled(points: list[Any], offset: Any) -> dict[str, Any]:
    return {"points": [_point(point) for point in points], "next_page_offset": offset}
