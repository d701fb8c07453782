"""A client certificate for mutual TLS, kept in memory. OpenSSL reads it from a file that only this process can open."""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.utils.translation import gettext as _

from supportbot.outbound.errors import NotSent


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate with its chain, and its private key without a password, both as PEM text."""

    pem: str = field(repr=False)


def tls_context(certificate: ClientCertificate | None) -> ssl.SSLContext:
    """Return the TLS context for a connection, with the certificate if there is one.

    Raises NotSent if it cannot be used.
    """
    context = ssl.create_default_context()
    if certificate is not None:
        try:
            _load_into(context, certificate)
        except (OSError, ValueError) as error:  # SSLError is an OSError
            raise NotSent(_("the client certificate or its key cannot be used")) from error
    return context


def _load_into(context: ssl.SSLContext, certificate: ClientCertificate) -> None:
    """Let a TLS context present this certificate. Raises OSError if it is invalid or its key does not match."""
    with _as_file(certificate.pem.encode()) as path:
        # Without this callback, OpenSSL would ask for the password of an encrypted key at the terminal.
        context.load_cert_chain(path, password=lambda: b"")


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    if hasattr(os, "memfd_create"):  # Linux: the key is never on a disk
        handle = os.memfd_create("client-certificate", os.MFD_CLOEXEC)
        try:
            os.write(handle, content)
            yield f"/proc/self/fd/{handle}"
        finally:
            os.close(handle)
        return
    handle, name = tempfile.mkstemp()  # readable only by its owner
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        yield name
    finally:
        Path(name).unlink()


def certificate_problem(certificate: ClientCertificate) -> str:
    """Return why a certificate cannot be used, or "" if it can."""
    try:
        _load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate)
    except (OSError, ValueError):  # SSLError is an OSError
        return _("This is not a PEM certificate followed by its unencrypted private key.")
    return ""
