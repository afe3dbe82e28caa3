"""An app, and our classifier service, on a real socket in this process."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from hybrid_memory.classifier import default_rules
from hybrid_memory.classifier.choose import Choice
from hybrid_memory.classifier.port import Classifier
from hybrid_memory.classifier.ruled import RuleClassifier
from hybrid_memory.classifier.service.app import create_app
from hybrid_memory.classifier.service.engine import Engine, Open
from hybrid_memory.classifier.service.gather import Gatherer
from hybrid_memory.runtime.http.guard import Guard, make_guard
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import HttpSettings, ServiceSettings, Settings


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The URL of an app while it is served."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, ws="none", log_config=None, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@contextmanager
def service_over(classifier: Classifier | Open, *, keys: Path | None = None, **settings: float) -> Iterator[str]:
    """The URL of our classifier service over this classifier, or over what opens one; `keys` is a file of API keys."""
    http = HttpSettings() if keys is None else HttpSettings(keys_file=keys)
    given = Settings(service=ServiceSettings.model_validate(settings), http=http)
    guard = make_guard(given, given.service.host) if keys else Guard()
    gatherer = Gatherer(given.service.gather_ms / 1000, given.service.queue_texts)
    opener: Open = (lambda: (classifier, Choice("qwen", "test"))) if isinstance(classifier, Classifier) else classifier
    engine = Engine(opener, gatherer, on_failure=lambda: None)
    with served(create_app(given, engine, gatherer, RuleClassifier(default_rules()), Metrics(), guard)) as url:
        if isinstance(classifier, Classifier):
            deadline = time.monotonic() + 20
            while engine.not_ready() is not None:
                assert time.monotonic() < deadline
                time.sleep(0.001)
        yield url
