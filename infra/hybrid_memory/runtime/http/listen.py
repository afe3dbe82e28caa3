"""A port to listen on, and a server that ends when it is told to."""

import signal
import socket

import uvicorn

from hybrid_memory.runtime.errors import Refusal


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to this address; port 0 takes any that is free.

    Raises:
        Refusal: somebody has the port, or it is not ours to take.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it on, a reply takes 40 ms more.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        reason = f"port {port} of {host} cannot be listened on ({error.strerror})"
        raise Refusal(f"{reason}; name another with --port") from None
    return listener


def run_until_told(server: uvicorn.Server, listener: socket.socket) -> None:
    """Serve until SIGINT, SIGTERM or `should_exit`; then finish what is being answered, and return."""
    # uvicorn stops at the first signal, and then raises it again: it must not find the handler that kills.
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: setattr(server, "should_exit", True))
    server.run(sockets=[listener])
