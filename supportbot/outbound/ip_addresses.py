"""Decides which IP addresses may be called: those on the public internet, and those in private networks that an
installation allows.

`ipaddress.is_global` alone would accept multicast and several forms that lead to a private IPv4 address (NAT64, 6to4).
IPv6 therefore has an allow-list, and IPv4 a few more exceptions.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network
Networks = tuple[Network, ...]

_V4_CLOSED: Final = tuple(
    # The last one is Azure's wire server, which hands out the machine's secrets.
    IPv4Network(net)
    for net in ("192.0.0.0/24", "192.88.99.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32")
)
_V6_OPEN: Final = IPv6Network("2000::/3")
_V6_CLOSED: Final = tuple(
    IPv6Network(net) for net in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)  # Teredo and other special uses, documentation, 6to4, documentation

LOOPBACK: Final[Networks] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
PRIVATE: Final[Networks] = (
    *LOOPBACK,
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("100.64.0.0/10"),
    IPv6Network("fc00::/7"),
)
# Metadata services of Alibaba and AWS inside private networks, which hand out the machine's credentials to any caller.
_METADATA: Final[Networks] = (IPv4Network("100.100.100.200/32"), IPv6Network("fd00:ec2::/32"))


def private_networks(written: Iterable[str]) -> Networks:
    """Return the private networks that a setting lists in CIDR notation.

    Raises ValueError with a sentence about the first invalid one. Link-local addresses are not allowed, because clouds
    serve their machines' credentials there.
    """
    return tuple(_private_network(text.strip()) for text in written if text.strip())


def _private_network(text: str) -> Network:
    try:
        network = ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text} is not a network. Write it like 10.20.0.0/16 or fd12:3456::/48.") from error
    if not any(_contains(private, network) for private in PRIVATE):
        raise ValueError(
            f"{text} is not inside a private network (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, "
            "127.0.0.0/8, fc00::/7, ::1). Public addresses need not be listed."
        )
    return network


def _contains(outer: Network, inner: Network) -> bool:
    if isinstance(outer, IPv4Network):
        return isinstance(inner, IPv4Network) and inner.subnet_of(outer)
    return isinstance(inner, IPv6Network) and inner.subnet_of(outer)


def is_address(host: str) -> bool:
    """Return whether a host is an IP address rather than a name."""
    return _parsed(host) is not None


def is_public(address: str) -> bool:
    """Return whether an address (from getaddrinfo) is on the public internet."""
    ip = _parsed(address)
    if ip is None:
        return False
    return _is_public_v4(ip) if isinstance(ip, IPv4Address) else _is_public_v6(ip)


def is_within(address: str, networks: Networks) -> bool:
    """Return whether an address (from getaddrinfo) is in one of these networks, and not a metadata service."""
    ip = _parsed(address)
    if ip is None or any(ip in net for net in _METADATA):
        return False
    return any(ip in net for net in networks)


def private_network_of(address: str) -> Network | None:
    """Return a network around an address that `PRIVATE_NETWORKS` may list, or None if no setting allows the address."""
    ip = _parsed(address)
    if ip is None or not is_within(address, PRIVATE):
        return None
    if ip.is_loopback:
        return next(net for net in LOOPBACK if ip in net)
    return ip_network((ip, 24 if isinstance(ip, IPv4Address) else 64), strict=False)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    """Return an address, with IPv4-mapped IPv6 addresses as IPv4; None if the text is not an address."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return ip.ipv4_mapped or ip if isinstance(ip, IPv6Address) else ip


def _is_public_v4(ip: IPv4Address) -> bool:
    return ip.is_global and not any(ip in net for net in _V4_CLOSED)


def _is_public_v6(ip: IPv6Address) -> bool:
    return ip in _V6_OPEN and ip.is_global and not any(ip in net for net in _V6_CLOSED)
