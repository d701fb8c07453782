"""Which network addresses a merchant's system may have.

`ipaddress.is_global` alone accepts multicast and several forms that lead back to a private IPv4 address (NAT64, 6to4),
so IPv6 has an allow-list and IPv4 a few more exceptions.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_V4_CLOSED: Final = tuple(IPv4Network(net) for net in ("192.0.0.0/24", "192.88.99.0/24", "224.0.0.0/4", "240.0.0.0/4"))
_V6_OPEN: Final = IPv6Network("2000::/3")
_V6_CLOSED: Final = tuple(
    IPv6Network(net) for net in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)  # Teredo and other special uses, documentation, 6to4, documentation


def is_address(host: str) -> bool:
    """Return whether a host is an IP address, not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_public(address: str) -> bool:
    """Return whether an address (from getaddrinfo) is in the public internet."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        return _is_public_v4(ip.ipv4_mapped) if ip.ipv4_mapped else _is_public_v6(ip)
    return _is_public_v4(ip)


def _is_public_v4(ip: IPv4Address) -> bool:
    return ip.is_global and not any(ip in net for net in _V4_CLOSED)


def _is_public_v6(ip: IPv6Address) -> bool:
    return ip in _V6_OPEN and ip.is_global and not any(ip in net for net in _V6_CLOSED)
