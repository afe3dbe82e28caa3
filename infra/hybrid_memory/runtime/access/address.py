"""Where a service without keys may listen: on this machine alone."""

import ipaddress

from hybrid_memory.runtime.errors import Refusal


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches this address. A name other than localhost could be any address."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def refuse_open_address(host: str, *, guarded: bool, insecure: bool) -> None:
    """Let a service that asks nobody who they are listen only where this machine alone reaches it.

    Raises:
        Refusal: it would stand open to others.
    """
    if guarded or insecure or is_loopback(host):
        return
    raise Refusal(
        f"listening on {host or 'every address'} would let anybody read and write every memory: make a key first with "
        "hm keys create NAME --all-users, or set up user tokens (HM_HTTP__JWT__…), or listen on 127.0.0.1, or, where "
        "something else keeps strangers out, set HM_HTTP__INSECURE=true (--insecure)"
    )
