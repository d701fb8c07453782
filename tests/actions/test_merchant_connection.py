"""Connecting a shop: invalid addresses are refused with the reason, and the existing connection stays."""

import pytest

from actions.merchant_connection import connect_merchant
from actions.models import MerchantConnection
from supportbot.accounts.models import Workspace
from supportbot.errors import InvalidInput

SECRET = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cyE="
GOOD = "https://shop.example/merchant/v1"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("workspace")]


@pytest.mark.parametrize(
    "url",
    [
        GOOD,
        "https://shop.example:8443",
        "https://93.184.216.34/v1",
        "https://sh\u00f6p.example",
        "http://127.0.0.1:8100/merchant/v1",
    ],
)
def test_valid_urls_are_connected(url: str, workspace: Workspace) -> None:
    connect_merchant(url, SECRET, actor="test")
    assert MerchantConnection.objects.get().base_url == url


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("shop", "web address"),
        ("", "web address"),
        (f"https://shop.example/{'x' * 300}", "web address"),
        ("ftp://shop.example", "http"),
        ("https://u@shop.example", "user name"),
        ("https://shop.example/h\u00e4ndler", "characters"),
        ("http://shop.example", "https"),
        ("https://shop.example:5432", "8443"),
        ("http://10.0.0.8", "https"),
        ("https://10.0.0.8", "public"),
        ("https://[::1]", "public"),
        (f"{GOOD}?key=1", "?"),
        (f"{GOOD}#top", "#"),
    ],
)
def test_invalid_urls_are_refused_with_the_reason(url: str, cause: str) -> None:
    connect_merchant(GOOD, SECRET, actor="test")
    with pytest.raises(InvalidInput) as refused:
        connect_merchant(url, SECRET, actor="test")
    assert list(refused.value.fields) == ["base_url"] and cause in refused.value.fields["base_url"][0]
    assert MerchantConnection.objects.get().base_url == GOOD


@pytest.mark.parametrize("secret", ["not base64 at all!", "whsec_c2hvcnQ=", ""])
def test_an_invalid_secret_is_refused(secret: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        connect_merchant(GOOD, secret, actor="test")
    assert list(refused.value.fields) == ["secret"] and not MerchantConnection.objects.exists()
