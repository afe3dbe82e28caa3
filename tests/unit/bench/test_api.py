"""The benchmark's own HTTP client, on a real server."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from hybrid_memory.bench.api import Api
from hybrid_memory.runtime.errors import Refusal


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._reply(200 if self.path == "/ok" else 422)

    def do_GET(self) -> None:
        self._reply(200 if self.path == "/ok" else 404)

    def _reply(self, status: int) -> None:
        body = b'{"detail": "said"}'
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True  # without saying so, as a server does that closes an idle connection

    def log_message(self, *arguments: object) -> None:
        return


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_connection_that_was_closed_meanwhile_is_opened_again(url: str) -> None:
    with Api(url) as api:
        assert [api.post("/ok", {}) for _ in range(3)] == [{"detail": "said"}] * 3
        assert (api.exists("/ok"), api.exists("/no")) == (True, False)


def test_what_is_not_expected_is_refused(url: str) -> None:
    with Api(url) as api, pytest.raises(Refusal, match="answered 422 to POST /no: said"):
        api.post("/no", {})


def test_nobody_there() -> None:
    with Api("http://127.0.0.1:9") as api, pytest.raises(Refusal, match="did not answer GET /ok"):
        api.exists("/ok")
