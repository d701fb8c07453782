"""How the installation calls itself is what browsers say of its pages."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from supportbot.publicaddress import public_address


@pytest.mark.parametrize(
    ("told", "written"),
    [
        ("https://help.example.com", "https://help.example.com"),
        ("https://help.example.com/", "https://help.example.com"),
        ("HTTPS://Help.Example.com:443", "https://help.example.com"),
        ("http://help.example.com:80/", "http://help.example.com"),
        ("http://help.example.com:443", "http://help.example.com:443"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://example.com/Support/", "https://example.com/Support"),
    ],
)
def test_it_is_written_as_browsers_write_it(told: str, written: str) -> None:
    assert public_address(told) == written


@pytest.mark.parametrize(
    "told",
    [
        "help.example.com",
        "ftp://help.example.com",
        "https://",
        "https://[",
        "https://a:b",
        "https://a:99999",
        "https://u@a",
    ],
)
def test_what_is_no_address_is_refused_with_an_example(told: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"not an address such as https://help\.example\.com"):
        public_address(told)
