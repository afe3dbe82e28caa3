"""Where a service without keys may listen."""

import pytest

from hybrid_memory.runtime.access.address import is_loopback, refuse_open_address
from hybrid_memory.runtime.errors import Refusal

OWN = ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "LOCALHOST", "::ffff:127.0.0.1"]
PUBLIC = [
    "0.0.0.0",
    "::",
    "",
    "192.168.1.5",
    "10.0.0.1",
    "8.8.8.8",
    "example.org",
    "localhost.evil.example",
    "fe80::1%1",
]


@pytest.mark.parametrize("host", OWN)
def test_this_machine_alone(host: str) -> None:
    assert is_loopback(host)
    refuse_open_address(host, guarded=False, insecure=False)


@pytest.mark.parametrize("host", PUBLIC)
def test_others_reach_it_too(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(Refusal, match=r"hm keys create .*--insecure"):
        refuse_open_address(host, guarded=False, insecure=False)
    refuse_open_address(host, guarded=True, insecure=False)
    refuse_open_address(host, guarded=False, insecure=True)
