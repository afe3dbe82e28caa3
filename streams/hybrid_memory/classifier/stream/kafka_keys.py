"""What the operator said to librdkafka, said to Faust's Kafka client.

A key about who we are or how to get in must be honoured or refused; one about tuning may be left unused, and is named.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from faust import SASLCredentials, SSLCredentials
from faust.types.auth import CredentialsT

from hybrid_memory.runtime.errors import Refusal

_MILLISECONDS = {
    "session.timeout.ms": "broker_session_timeout",
    "heartbeat.interval.ms": "broker_heartbeat_interval",
}
_WHOLE = {
    "max.partition.fetch.bytes": "consumer_max_fetch_size",
    "fetch.message.max.bytes": "consumer_max_fetch_size",
    "metadata.max.age.ms": "consumer_metadata_max_age_ms",
    "connections.max.idle.ms": "consumer_connections_max_idle_ms",
}
_TEXT = {"client.id": "broker_client_id", "group.instance.id": "consumer_group_instance_id"}
_GETTING_IN = {
    "security.protocol",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.password",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.endpoint.identification.algorithm",
    "enable.ssl.certificate.verification",
}
_MUST_COUNT = ("ssl.", "sasl.", "security.", "enable.ssl.", "enable.sasl.")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_HONOURED = {"bootstrap.servers"} | _GETTING_IN | _MILLISECONDS.keys() | _WHOLE.keys() | _TEXT.keys()


@dataclass(frozen=True, slots=True)
class Connection:
    """How Faust is to reach Kafka."""

    brokers: str
    credentials: CredentialsT | None = field(repr=False)
    options: Mapping[str, Any]
    """Further settings of a Faust app."""
    unused: tuple[str, ...]
    """Keys that Faust's client has nothing for."""


def to_connection(keys: Mapping[str, str]) -> Connection:
    """What these librdkafka keys come to. Reads the files of certificates that they name.

    Raises:
        Refusal: without a key that Faust cannot honour, the stream could not get in, or less safely than asked for.
    """
    unknown = [key for key in keys if key not in _HONOURED]
    if refused := [key for key in unknown if key.startswith(_MUST_COUNT)]:
        raise Refusal(f"the classifier stream cannot honour {_named(refused[0])}; {_ways(refused[0])}")
    return Connection(_brokers(keys["bootstrap.servers"]), _credentials(keys), _options(keys), tuple(sorted(unknown)))


def _brokers(servers: str) -> str:
    addresses = [server.strip().rpartition("://")[2] for server in servers.split(",") if server.strip()]
    return ";".join(f"kafka://{address}" for address in addresses)


def _options(keys: Mapping[str, str]) -> dict[str, Any]:
    options: dict[str, Any] = {name: keys[key] for key, name in _TEXT.items() if key in keys}
    options |= {name: _number(keys, key) for key, name in _WHOLE.items() if key in keys}
    return options | {name: _number(keys, key) / 1000 for key, name in _MILLISECONDS.items() if key in keys}


def _number(keys: Mapping[str, str], key: str) -> int:
    try:
        return int(keys[key])
    except ValueError:
        raise Refusal(f"setting {_named(key)}: {keys[key]!r} is not a whole number") from None


def _credentials(keys: Mapping[str, str]) -> CredentialsT | None:
    protocol = keys.get("security.protocol", "plaintext").upper()
    if protocol == "PLAINTEXT":
        return None
    if protocol == "SSL":
        return SSLCredentials(_context(keys))
    if protocol not in ("SASL_PLAINTEXT", "SASL_SSL"):
        raise Refusal(f"setting {_named('security.protocol')}: {protocol!r} is not known")
    mechanism = keys.get("sasl.mechanism") or keys.get("sasl.mechanisms") or "GSSAPI"
    if mechanism not in _MECHANISMS:
        raise Refusal(f"the classifier stream cannot honour {_named('sasl.mechanism')}={mechanism}; {_ways('sasl.')}")
    return SASLCredentials(
        username=keys.get("sasl.username"),
        password=keys.get("sasl.password"),
        mechanism=mechanism,
        ssl_context=_context(keys) if protocol == "SASL_SSL" else None,
    )


def _context(keys: Mapping[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=_authority(keys), cadata=keys.get("ssl.ca.pem"))
        if certificate := keys.get("ssl.certificate.location"):
            context.load_cert_chain(certificate, keys.get("ssl.key.location"), keys.get("ssl.key.password", ""))
    except (OSError, ssl.SSLError) as error:  # its words name no file, and hold no secret
        named = [_named(key) for key in sorted(keys) if key.startswith("ssl.") and key.endswith((".location", ".pem"))]
        raise Refusal(f"{' or '.join(named)} cannot be used: {error.strerror or error}") from None
    if keys.get("ssl.endpoint.identification.algorithm") == "none":
        context.check_hostname = False
    if keys.get("enable.ssl.certificate.verification", "true").lower() == "false":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _authority(keys: Mapping[str, str]) -> str | None:
    """A file of certificates; without one, or with librdkafka's word `probe`, the machine's own are used."""
    location = keys.get("ssl.ca.location")
    return None if location == "probe" else location


def _named(key: str) -> str:
    return f"HM_KAFKA__{key.upper().replace('.', '_')}"


def _ways(key: str) -> str:
    if key.startswith("ssl."):
        return "give certificates by ssl.ca.location, ssl.certificate.location and ssl.key.location"
    return f"it can get in by security.protocol and, of sasl.mechanism, {', '.join(_MECHANISMS)}"
