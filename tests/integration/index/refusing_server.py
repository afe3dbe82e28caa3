"""Servers that answer every request of a Qdrant client with one and the same error, over real sockets."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import grpc

from hybrid_memory.index.server import ServerStore
from hybrid_memory.index.server_open import connect
from hybrid_memory.runtime.settings import QdrantSettings
from tests.integration.index.build import DIMENSIONS

KEY = "the-api-key-nobody-may-see"


def store_at(port: int, **settings: Any) -> ServerStore:
    """A store on what listens there; nothing is asked yet."""
    made = QdrantSettings(url=f"http://127.0.0.1:{port}", grpc_port=port, api_key=KEY, timeout_seconds=5, **settings)
    client = connect(made)
    return ServerStore(client, made.collection, DIMENSIONS, f"http://127.0.0.1:{port}", client.close)


@contextmanager
def grpc_server(code: grpc.StatusCode, details: str = "no", retry_after: int | None = None) -> Iterator[int]:
    """Its port."""

    def answer(_: bytes, context: Any) -> bytes:
        if retry_after is not None:
            context.set_trailing_metadata((("retry-after", str(retry_after)),))
        context.abort(code, details)
        raise AssertionError("abort raises")

    class Everything(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
        def service(self, _: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.server(ThreadPoolExecutor(2), handlers=[Everything()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield int(port)
    finally:
        server.stop(0).wait(5)


@contextmanager
def rest_server(status: int, body: str = "{}", **headers: str) -> Iterator[int]:
    """Its port."""

    class Answer(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST = do_PUT = do_DELETE = _answer

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
