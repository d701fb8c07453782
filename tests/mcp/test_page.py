"""The page of one card: its security policy, its languages and its content."""

import re

import pytest
from django.http import HttpResponse
from django.test import Client

from actions.testing import FakeShop
from supportbot.accounts.channels import NewChannel
from supportbot.translation import LANGUAGES
from tests.mcp.agent import ConfirmationPage, ForeignAgent, token_of

pytestmark = pytest.mark.django_db(transaction=True)
REFUND = {"order_id": "A-1001", "reason": "Arrived damaged"}


def page(key: str, query: str = "", **headers: str) -> HttpResponse:
    return Client().get(f"/confirm/{key}/{query}", headers=headers)


def test_the_policy_allows_no_external_content_and_no_framing(channel: NewChannel) -> None:
    answer = page(channel.channel.key)
    rules = {name: values for name, *values in (rule.split() for rule in answer["Content-Security-Policy"].split(";"))}
    assert rules["default-src"] == rules["frame-ancestors"] == rules["form-action"] == rules["base-uri"] == ["'none'"]
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == ["'self'"]
    assert rules["require-trusted-types-for"] == ["'script'"]
    assert (answer["X-Frame-Options"], answer["Referrer-Policy"], answer["Cache-Control"]) == (
        "DENY",
        "no-referrer",
        "no-store",
    )
    html = answer.content.decode()
    assert not re.search(r"\s(style|on\w+)=|<script(?![^>]*\ssrc=)", html)
    assert not answer.cookies


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_supported(channel: NewChannel, language: str) -> None:
    answer = page(channel.channel.key, f"?lang={language}")
    assert answer["Content-Language"] == language
    html = answer.content.decode()
    assert f'lang="{language}"' in html and ('dir="rtl"' in html) == (language == "ar")
    assert ("Please confirm" in html) == (language == "en")


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        ("", "de-AT,en;q=0.5", "de"),
        ("?lang=fr", "de", "fr"),
        ("?lang=xx", "it", "it"),
        ("", "xx", "en"),
        ("", "*", "en"),
    ],
)
def test_the_language_is_the_readers(channel: NewChannel, query: str, accepted: str, language: str) -> None:
    assert page(channel.channel.key, query, **{"Accept-Language": accepted})["Content-Language"] == language


@pytest.mark.long
def test_the_card_is_shown_in_the_pages_language(agent: ForeignAgent, shop: FakeShop, channel: NewChannel) -> None:
    proposed = agent.call("refund_order", REFUND, token=token_of(channel)).structured_content
    link = ConfirmationPage(agent.base, proposed["confirm_url"])
    shown = link.posted("open", {"code": link.code}, **{"Accept-Language": "de"}).json()
    assert shown["message"] == "Es geschieht nichts, bevor Sie bestätigen."
    assert "Bestellung" in [row["label"] for row in shown["rows"]]
    assert shown["origin"] == "Ein Programm, das für Sie handelt, hat das vorgeschlagen."
    refused = link.posted("open", {"code": link.code}, **{"Accept-Language": "de"}).json()
    assert refused["message"].startswith("Dieser Link wurde schon benutzt")


def test_an_unknown_channel_has_no_page(channel: NewChannel) -> None:
    assert page("pk_nowhere").status_code == 404
    assert page("x" * 500).status_code == 404
