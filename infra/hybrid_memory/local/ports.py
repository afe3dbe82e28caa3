"""Free ports on the loopback address."""

import random
import socket
import time

LOOPBACK = "127.0.0.1"

# Below the ports that outgoing connections draw from, so that none of those takes ours while we start.
_RANGE = range(20_000, 32_000)


def port_is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # A port whose last connections are only waiting to be forgotten is free for a server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port on which nothing listens."""
    while not port_is_free(port := random.choice(_RANGE)):
        continue
    return port


def wait_until_free(port: int, seconds: float) -> bool:
    """Whether `port` is free now or becomes so within `seconds`."""
    deadline = time.monotonic() + seconds
    while not port_is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def answers(port: int, host: str = LOOPBACK) -> bool:
    """Whether something accepts connections on `port`."""
    try:
        socket.create_connection((host, port), timeout=0.5).close()
    except OSError:
        return False
    return True
