"""The address by which browsers reach the installation from outside, as an operator gives it."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ImproperlyConfigured

_OWN_PORTS: Final = {"http": 80, "https": 443}


def public_address(told: str) -> str:
    """Return PUBLIC_URL as browsers write it in `Origin`: in lower case, without a port that goes without saying.

    Raises ImproperlyConfigured for what is no address of a web server.
    """
    parts = _parts(told)
    if parts is None or parts.scheme not in _OWN_PORTS or not parts.hostname or parts.username is not None:
        raise ImproperlyConfigured(f"PUBLIC_URL={told} is not an address such as https://help.example.com.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in (None, _OWN_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"


def _parts(told: str) -> SplitResult | None:
    try:
        parts = urlsplit(told)
        _ = parts.port
    except ValueError:  # brackets that hold no address, a port that is no number
        return None
    return parts
