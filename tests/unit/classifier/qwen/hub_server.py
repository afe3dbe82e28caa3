"""A model hub with one model, on this machine: what the real one says to a look-up and to a download."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODEL = "someone/a-model"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": b'{"model_type": "qwen2"}',
    "tokenizer.json": b"{}",
    "model.safetensors": b"weights" * 1000,
    "onnx/model.onnx": b"not wanted",
}


class _Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        path = self.path.split("?")[0]
        if path in (
            f"/api/models/{MODEL}",
            f"/api/models/{MODEL}/revision/main",
            f"/api/models/{MODEL}/revision/{COMMIT}",
        ):
            siblings = [{"rfilename": name, "size": len(data)} for name, data in FILES.items()]
            self._send(json.dumps({"id": MODEL, "sha": COMMIT, "siblings": siblings}).encode(), body)
        elif path.startswith(f"/api/models/{MODEL}/revision/"):
            self._refuse("RevisionNotFound")
        elif path.startswith(f"/{MODEL}/resolve/") and path.split("/", 5)[5] in FILES:
            self._send(FILES[path.split("/", 5)[5]], body)
        else:
            self._refuse("RepoNotFound")

    def _send(self, data: bytes, body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Type", "application/json")
        self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def _refuse(self, code: str) -> None:
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.send_header("X-Error-Code", code)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def hub() -> Iterator[str]:
    """Its address while it runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
