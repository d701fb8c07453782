"""Checks the target of a call: the URL is parsed once, its host name is resolved once, and every resolved address is
checked.

The connection then goes to one of the checked addresses, which rules out DNS rebinding.
"""

import socket
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from supportbot.outbound.errors import NotSent
from supportbot.outbound.ip_addresses import LOOPBACK, Networks, is_address, is_public, is_within, private_network_of

RESOLVE_SECONDS: Final = 3.0
_SOME_NETWORK: Final = "10.20.0.0/16"  # the example for a name whose address is not known
_LOCALHOST: Final = ",".join(map(str, LOOPBACK))  # the name may resolve to addresses of both versions
ALLOWED_PORTS: Final = frozenset({443, 8443})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The parts of a URL, before its host name is resolved."""

    is_tls: bool
    host: str
    port: int
    path: str

    @property
    def is_public_https(self) -> bool:
        return self.is_tls and self.port in ALLOWED_PORTS

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """A checked endpoint, and the addresses to connect to."""

    endpoint: Endpoint
    addresses: tuple[str, ...]


def checked_target(url: str, *, seconds: float = RESOLVE_SECONDS, also: Networks = ()) -> Target:
    """Return the checked target of a URL. Raises NotSent if its scheme, port or address is not allowed.

    The host name must resolve within `seconds`. `also` lists networks that an operator allows for this call.
    """
    endpoint = parse_endpoint(url)
    if not _may_resolve(endpoint, also):
        raise NotSent(_needs_https(endpoint))
    found = _resolved(endpoint, seconds)
    # A single forbidden address among allowed ones may be a trap, so all of them must be allowed.
    for address in found:
        if not _may_connect(endpoint, address, also):
            raise NotSent(_why_closed(endpoint, address))
    return Target(endpoint, found)


def address_problem(url: str) -> str:
    """Return why a URL can never be called from this installation, or "" if nothing in its text forbids it."""
    try:
        endpoint = parse_endpoint(url)
    except NotSent as error:
        return error.why
    if not _may_resolve(endpoint):
        return _needs_https(endpoint)
    if is_address(endpoint.host) and not _may_connect(endpoint, endpoint.host):
        return _why_closed(endpoint, endpoint.host)
    return ""


def with_scheme(typed: str) -> str:
    """Return an address that someone typed, with a scheme if it has none.

    This is usually https. It is http for this machine and for private networks, whose servers rarely have a
    certificate, unless the port is one used for https.
    """
    if not typed or "://" in typed:
        return typed
    try:
        parts = urlsplit(f"//{typed}")
        host, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError:
        return f"https://{typed}"
    is_plain = port not in ALLOWED_PORTS and (_is_this_machine(host) or (is_address(host) and not is_public(host)))
    return f"{'http' if is_plain else 'https'}://{typed}"


def parse_endpoint(url: str) -> Endpoint:
    """Return the parts of an http(s) URL. Raises NotSent if it is ambiguous."""
    # urlsplit silently drops tabs and line breaks, and browsers treat a backslash as a slash.
    if not url.isprintable() or " " in url or "\\" in url:
        raise NotSent(_("the address contains invalid characters"))
    try:
        parts = urlsplit(url)
        port = (443 if parts.scheme == "https" else 80) if parts.port is None else parts.port
    except ValueError as error:
        raise NotSent(_("the address is not a valid URL")) from error
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise NotSent(_("the address must start with http:// or https:// and have no user name"))
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    if not path.isascii():
        raise NotSent(_("the path of the address contains invalid characters; percent-encode them"))
    return Endpoint(parts.scheme == "https", _ascii_host(parts.hostname), port, path or "/")


def _ascii_host(host: str) -> str:
    """Return a host as DNS writes it.

    Raises NotSent for characters that stand for other characters, such as circled digits.
    """
    if host.isascii():
        return host
    try:
        encoded = host.encode("idna").decode()
        is_exact = encoded.encode().decode("idna") == host
    except UnicodeError:
        is_exact = False
    if not is_exact or is_address(encoded):
        raise NotSent(_("the host name contains invalid characters"))
    return encoded


def _networks(also: Networks) -> Networks:
    networks: Networks = (*settings.PRIVATE_NETWORKS, *also)
    return (*networks, *LOOPBACK) if settings.ACTIONS_LOOPBACK else networks


def _is_own(endpoint: Endpoint) -> bool:
    return f"{endpoint.host}:{endpoint.port}" in settings.OUTBOUND_OWN_ADDRESSES


def _may_resolve(endpoint: Endpoint, also: Networks = ()) -> bool:
    """Return whether this endpoint may be called, provided that its host resolves to an allowed address."""
    return endpoint.is_public_https or (endpoint.port > 0 and (_is_own(endpoint) or bool(_networks(also))))


def _may_connect(endpoint: Endpoint, address: str, also: Networks = ()) -> bool:
    """Return whether an endpoint may be called at this resolved address."""
    if _is_own(endpoint):
        return is_within(address, LOOPBACK)
    return is_within(address, _networks(also)) or (endpoint.is_public_https and is_public(address))


def _needs_https(endpoint: Endpoint) -> str:
    """Return why an endpoint whose name has not been resolved may not be called."""
    if is_address(endpoint.host):
        return _how_to_allow(_https_only(), _network_of(endpoint.host))
    return _how_to_allow(_https_only(), _LOCALHOST if _is_this_machine(endpoint.host) else _SOME_NETWORK)


def _is_this_machine(host: str) -> bool:
    """Return whether a host is localhost or a name below it, which RFC 6761 reserves for this machine, too."""
    name = host.removesuffix(".")
    return name == "localhost" or name.endswith(".localhost")


def _https_only() -> str:
    return _("the address must use https on port 443 or 8443, unless PRIVATE_NETWORKS allows its network")


def _how_to_allow(text: str, networks: str) -> str:
    """Return the text with an explanation of PRIVATE_NETWORKS added, because people look for this setting in the
    console. There is nothing to explain if no setting would help.
    """
    if not networks:
        return text
    return _("%(told)s (an environment variable: set PRIVATE_NETWORKS=%(network)s, for example, and restart)") % {
        "told": text,
        "network": networks,
    }


def _why_closed(endpoint: Endpoint, address: str) -> str:
    if is_public(address):
        return _https_only()
    facts = {"host": endpoint.host, "address": address}
    if is_address(endpoint.host):
        text = _("%(address)s is neither on the public internet nor in a network that PRIVATE_NETWORKS allows")
    else:
        text = _(
            "%(host)s resolves to %(address)s, which is neither on the public internet nor in a network that "
            "PRIVATE_NETWORKS allows"
        )
    return _how_to_allow(text % facts, _network_of(address))


def _network_of(address: str) -> str:
    network = private_network_of(address)
    return str(network) if network else ""


def _resolved(endpoint: Endpoint, seconds: float) -> tuple[str, ...]:
    try:
        found = _ask_resolver(endpoint, seconds)
    except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
        raise NotSent(_("the host name %(host)s cannot be resolved") % {"host": endpoint.host}) from error
    if not found:
        raise NotSent(_("the host name %(host)s has no address") % {"host": endpoint.host})
    return found


def _ask_resolver(endpoint: Endpoint, seconds: float) -> tuple[str, ...]:
    """Call the resolver in a thread, which is abandoned after `seconds` because the resolver itself has no time-out."""
    answer: Future[tuple[str, ...]] = Future()

    def ask() -> None:
        try:
            entries = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
            answer.set_result(tuple(dict.fromkeys(str(entry[4][0]) for entry in entries)))
        except (OSError, UnicodeError) as error:
            answer.set_exception(error)

    threading.Thread(target=ask, name="outbound-resolver", daemon=True).start()
    return answer.result(seconds)
