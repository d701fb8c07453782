"""The HTTP client over TLS: a server without a valid certificate for the host name receives nothing."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supportbot.outbound.client_certificate import ClientCertificate
from supportbot.outbound.errors import NoAnswer, NotSent
from supportbot.outbound.http import Request, Trace, request
from tests.actions.raw_server import reply
from tests.outbound.conftest import Certify, Outside

URL = "https://shop.test/"
Serve = Callable[..., Any]


@pytest.fixture(autouse=True)
def names(outside: Outside) -> None:
    outside.dns |= {"shop.test": [["93.184.216.34"]]}


def test_a_trusted_server_answers_and_an_impostor_receives_nothing(
    serve: Serve, outside: Outside, certify: Certify, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = Trace()
    with serve(reply("200 OK", b"fine")) as server:
        outside.dns["another.test"] = [["93.184.216.34"]]
        assert request(Request("GET", URL), trace=trace).body == b"fine"
        assert trace.tls.startswith("TLSv1.") and trace.certificate_ends.endswith("GMT")
        with pytest.raises(NotSent, match="not trusted"):  # the certificate is for another name
            request(Request("GET", "https://another.test/"))
        assert len(server.received) == 1
        with monkeypatch.context() as alone, pytest.raises(NotSent, match="not trusted"):  # no authority has signed it
            alone.setattr(ssl, "create_default_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
            request(Request("GET", URL))
        assert len(server.received) == 1


def test_a_slow_answer_is_cut_off_over_tls_too(serve: Serve) -> None:
    with serve(b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 1_000, pause=0.05), pytest.raises(NoAnswer):
        request(Request("GET", URL, timeout_seconds=0.5))


def test_a_server_without_tls_receives_nothing_it_can_read(
    serve: Serve, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It does not wait for the end of a request, which the beginning of a handshake does not have.
    monkeypatch.setattr("tests.actions.raw_server.read_request", lambda caller: caller.recv(65_536))
    with serve(reply("200 OK", b"plain")) as server:
        server.tls = None
        with pytest.raises(NotSent, match="secure connection"):
            request(Request("GET", URL, {"Authorization": "Bearer secret"}))
        assert server.received and not any(b"secret" in raw for raw in server.received)


def test_a_client_certificate_is_shown_to_a_server_that_asks_for_it(serve: Serve, certify: Certify) -> None:
    own = certify("client.test")
    with serve(reply("200 OK", b"welcome")) as server:
        server.tls.verify_mode = ssl.CERT_REQUIRED
        server.tls.load_verify_locations(own)
        shown = ClientCertificate(own.read_text())
        assert request(Request("GET", URL, client_cert=shown)).body == b"welcome"
        with pytest.raises((NotSent, NoAnswer)):
            request(Request("GET", URL))
        assert len(server.received) == 1
    assert "PRIVATE KEY" not in repr(shown)


@pytest.mark.parametrize("part", ["", "no PEM", "certificate", "key"])
def test_a_broken_client_certificate_is_reported_before_anything_is_sent(
    part: str, serve: Serve, outside: Outside, certify: Certify, tmp_path: Path
) -> None:
    whole = certify("client.test").read_text()
    cut = whole.index("-----BEGIN PRIVATE KEY")
    pem = {"certificate": whole[:cut], "key": whole[cut:]}.get(part, part)
    with serve(reply("200 OK", b"")), pytest.raises(NotSent, match="client certificate"):
        request(Request("GET", URL, client_cert=ClientCertificate(pem)))
    assert outside.connected == []
