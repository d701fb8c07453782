"""A simulated internet: names, their addresses, and one server that answers for all of them."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.actions.raw_server import RawServer, raw_server

Certify = Callable[..., Path]


@pytest.fixture
def certify(tmp_path: Path) -> Certify:
    """Return a function that makes a self-signed certificate for names, with its key, in one file."""

    def make(*names: str) -> Path:
        key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - timedelta(days=1))
            .not_valid_after(datetime.now(UTC) + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem, plain, none = (
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        file = tmp_path / f"{names[0]}.pem"
        file.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, plain, none))
        return file

    return make


@dataclass
class Outside:
    """The simulated internet. Each look-up of a name uses up one of its answers; the last one stays. Literal addresses
    resolve to themselves.
    """

    dns: dict[str, list[list[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Outside:
    world, real = Outside({"localhost": [["127.0.0.1", "::1"]]}), socket.getaddrinfo

    def resolve(host: str, port: Any, *rest: Any, **more: Any) -> Any:
        world.asked.append(host)
        answers = world.dns.get(host, [[host]])
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        more["flags"] = socket.AI_NUMERICHOST
        return [entry for address in found for entry in real(address, port, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return world


@pytest.fixture
def serve(outside: Outside, certify: Certify, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a context manager: a TLS server that answers at every address, trusted for the names of `outside`."""
    real = ssl.create_default_context

    @contextmanager
    def serving(answer: bytes, **how: Any) -> Iterator[RawServer]:
        file = certify(*outside.dns)
        with raw_server(answer, **how) as server, monkeypatch.context() as patched:
            server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.tls.load_cert_chain(file)
            patched.setattr(ssl, "create_default_context", lambda: real(cafile=str(file)))

            def connect(address: tuple[str, int], timeout: float) -> socket.socket:
                outside.connected.append(address[0])
                sock = socket.socket()
                sock.settimeout(timeout)
                sock.connect(("127.0.0.1", server.port))
                return sock

            patched.setattr(socket, "create_connection", connect)
            yield server

    return serving
