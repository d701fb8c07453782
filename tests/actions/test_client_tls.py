"""The HTTP client over TLS: a server without a valid certificate for the host name receives nothing."""

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from actions.connectors.client import Answer, NoAnswer, NotSent, exchange
from tests.actions.raw_server import RawServer, raw_server, reply


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for shop.test, with its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("shop.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain, none = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file = tmp_path / "shop.pem"
    file.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, plain, none))
    return file


@pytest.fixture
def every_name_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: real("127.0.0.1", *rest, **more))


def over_tls(server: RawServer, certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.tls = context


def ask(settings: Any, host: str, port: int, *, seconds: float = 5) -> Answer:
    settings.ACTIONS_LOOPBACK = [f"{host}:{port}"]
    return exchange("GET", f"https://{host}:{port}/", body=b"", headers={}, deadline_seconds=seconds)


@pytest.mark.usefixtures("every_name_is_here")
def test_a_trusted_shop_answers_and_an_impostor_receives_nothing(
    certificate: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with raw_server(reply("200 OK", b'{"a": 1}')) as server:
        over_tls(server, certificate)
        with pytest.raises(NotSent):  # the certificate is not trusted
            ask(settings, "shop.test", server.port)
        real = ssl.create_default_context
        monkeypatch.setattr(ssl, "create_default_context", lambda: real(cafile=str(certificate)))
        assert ask(settings, "shop.test", server.port) == Answer(200, {"a": 1})
        with pytest.raises(NotSent):
            ask(settings, "another.test", server.port)
        assert len(server.received) == 1


@pytest.mark.usefixtures("every_name_is_here")
def test_a_slow_answer_is_cut_off_over_tls_too(
    certificate: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", lambda: real(cafile=str(certificate)))
    with raw_server(b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 1_000, pause=0.05) as server:
        over_tls(server, certificate)
        with pytest.raises(NoAnswer):
            ask(settings, "shop.test", server.port, seconds=0.5)
