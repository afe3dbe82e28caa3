"""librdkafka's keys as Faust's client is told them."""

import ssl
from pathlib import Path

import pytest
from faust import SASLCredentials, SSLCredentials

from hybrid_memory.classifier.stream.kafka_keys import to_connection
from hybrid_memory.runtime.errors import Refusal

SERVERS = {"bootstrap.servers": "a:9092, SASL_SSL://[::1]:9093"}
PASSWORD = "Tr0ub4dor&3"


def test_without_more_than_servers() -> None:
    connection = to_connection(SERVERS)
    assert connection.brokers == "kafka://a:9092;kafka://[::1]:9093"
    assert connection.credentials is None
    assert (connection.options, connection.unused) == ({}, ())


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize(("protocol", "encrypted"), [("SASL_PLAINTEXT", False), ("sasl_ssl", True)])
def test_by_password(mechanism: str, protocol: str, encrypted: bool) -> None:
    name = "sasl.mechanisms" if encrypted else "sasl.mechanism"
    keys = {"security.protocol": protocol, name: mechanism, "sasl.username": "ann", "sasl.password": PASSWORD}
    connection = to_connection(SERVERS | keys)
    found = connection.credentials
    assert isinstance(found, SASLCredentials)
    assert (found.username, found.password, found.mechanism.value) == ("ann", PASSWORD, mechanism)
    assert found.protocol.value == protocol.upper()
    assert PASSWORD not in repr(connection) + repr(found)


def test_by_certificates() -> None:
    found = to_connection(SERVERS | {"security.protocol": "ssl", "ssl.ca.location": "probe"}).credentials
    assert isinstance(found, SSLCredentials)
    assert (found.context.check_hostname, found.context.verify_mode) == (True, ssl.CERT_REQUIRED)


@pytest.mark.parametrize(
    ("key", "value", "check_hostname", "mode"),
    [
        ("ssl.endpoint.identification.algorithm", "none", False, ssl.CERT_REQUIRED),
        ("enable.ssl.certificate.verification", "false", False, ssl.CERT_NONE),
    ],
)
def test_checks_are_left_out_only_where_that_is_said(
    key: str, value: str, check_hostname: bool, mode: ssl.VerifyMode
) -> None:
    found = to_connection(SERVERS | {"security.protocol": "SSL", key: value}).credentials
    assert isinstance(found, SSLCredentials)
    assert (found.context.check_hostname, found.context.verify_mode) == (check_hostname, mode)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"security.protocol": "SASL_SSL"}, "HM_KAFKA__SASL_MECHANISM=GSSAPI; it can get in by"),
        ({"security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER"}, "SASL_MECHANISM=OAUTHBEARER"),
        ({"security.protocol": "TLS"}, "HM_KAFKA__SECURITY_PROTOCOL: 'TLS' is not known"),
        ({"ssl.keystore.location": "k.p12"}, "HM_KAFKA__SSL_KEYSTORE_LOCATION; give certificates by ssl.ca.location"),
        ({"ssl.crl.location": "crl"}, "HM_KAFKA__SSL_CRL_LOCATION"),
        ({"sasl.oauthbearer.config": PASSWORD}, "HM_KAFKA__SASL_OAUTHBEARER_CONFIG; it can get in by"),
        (
            {"security.protocol": "SSL", "ssl.ca.location": "none/such"},
            "HM_KAFKA__SSL_CA_LOCATION cannot be used: No",
        ),
        ({"security.protocol": "SSL", "ssl.ca.pem": PASSWORD}, "HM_KAFKA__SSL_CA_PEM cannot be used"),
        ({"session.timeout.ms": "soon"}, "HM_KAFKA__SESSION_TIMEOUT_MS: 'soon' is not a whole number"),
    ],
)
def test_what_cannot_be_honoured_is_refused(keys: dict[str, str], said: str) -> None:
    with pytest.raises(Refusal) as refused:
        to_connection(SERVERS | keys)
    assert said in str(refused.value)
    assert PASSWORD not in str(refused.value)


def test_a_certificate_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.pem").write_text("no certificate")
    keys = {"security.protocol": "SSL", "ssl.certificate.location": str(tmp_path / "mine.pem")}
    with pytest.raises(Refusal, match="HM_KAFKA__SSL_CERTIFICATE_LOCATION cannot be used"):
        to_connection(SERVERS | keys)


def test_tuning_is_honoured_or_named() -> None:
    keys = {
        "session.timeout.ms": "6000",
        "heartbeat.interval.ms": "500",
        "max.partition.fetch.bytes": "2000000",
        "client.id": "mine",
        "group.instance.id": "worker-1",
        "linger.ms": "3",
        "broker.address.family": "v4",
    }
    connection = to_connection(SERVERS | keys)
    assert connection.options == {
        "broker_session_timeout": 6.0,
        "broker_heartbeat_interval": 0.5,
        "consumer_max_fetch_size": 2_000_000,
        "broker_client_id": "mine",
        "consumer_group_instance_id": "worker-1",
    }
    assert connection.unused == ("broker.address.family", "linger.ms")
