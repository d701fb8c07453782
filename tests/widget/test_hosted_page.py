"""The hosted chat page: its channel, its language and its content security policy."""

import re
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from supportbot.accounts.channels import NewChannel
from supportbot.accounts.models import Channel, Workspace
from tests.widget.page import PAGE_ORIGIN

pytestmark = pytest.mark.django_db


def page(key: str, query: str = "", **headers: str) -> HttpResponse:
    return Client().get(f"/chat/{key}/{query}", headers=headers)


def policy_of(answer: HttpResponse) -> dict[str, list[str]]:
    rules = [rule.split() for rule in answer["Content-Security-Policy"].split(";")]
    return {name: values for name, *values in rules}


def test_the_page_loads_the_widget_for_its_channel(channel: NewChannel) -> None:
    answer = page(channel.channel.key)
    html = answer.content.decode()
    assert answer.status_code == 200
    assert 'src="/widget/v1.js"' in html and f'data-channel="{channel.channel.key}"' in html
    assert 'data-layout="fullscreen"' in html
    assert "<title>Chat with Shop</title>" in html and "<noscript>" in html


def test_the_policy_allows_only_our_own_scripts(channel: NewChannel) -> None:
    policy = policy_of(page(channel.channel.key))
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == ["'self'"]
    assert policy["require-trusted-types-for"] == ["'script'"]
    assert (policy["base-uri"], policy["form-action"]) == (["'none'"], ["'none'"])
    assert policy["connect-src"][0] == "'self'" and policy["connect-src"][1].startswith("ws")
    html = page(channel.channel.key).content.decode()
    assert not re.search(r"\s(style|on\w+)=", html)


def test_only_the_channels_pages_may_frame_it(channel: NewChannel) -> None:
    answer = page(channel.channel.key)
    assert policy_of(answer)["frame-ancestors"] == ["'self'", PAGE_ORIGIN]
    assert "X-Frame-Options" not in answer
    Channel.objects.update(confirms_on_hosted_page=True)  # now customers must click on the hosted page
    assert policy_of(page(channel.channel.key))["frame-ancestors"] == ["'self'"]
    Channel.objects.update(confirms_on_hosted_page=False, allowed_origins=[])
    assert policy_of(page(channel.channel.key))["frame-ancestors"] == ["'self'"]


def test_the_policy_allows_the_socket_of_a_ticket(channel: NewChannel, settings: Any) -> None:
    assert policy_of(Client().get(f"/chat/{channel.channel.key}/", headers={"Host": "localhost:8000"}))[
        "connect-src"
    ] == ["'self'", "ws://localhost:8000"]
    settings.PUBLIC_URL = "https://help.example"
    assert policy_of(page(channel.channel.key))["connect-src"] == ["'self'", "wss://help.example"]


def test_the_page_is_not_cached_and_sends_no_referrer(channel: NewChannel) -> None:
    answer = page(channel.channel.key)
    assert not answer.cookies
    assert (answer["Referrer-Policy"], answer["Cache-Control"]) == ("no-referrer", "no-store")
    assert "Accept-Language" in answer["Vary"]


@pytest.mark.parametrize(
    ("query", "accepts", "language"),
    [
        ("", "", "en"),
        ("", "de-AT,en;q=0.5", "de"),
        ("", "sv,de;q=0.9,en;q=0.8", "de"),
        ("", "sv", "en"),
        ("", "fr-CA,en;q=0.5", "fr"),
        ("?lang=ar", "en", "ar"),
        ("?lang=de", "en", "de"),
        ("?lang=de_AT", "en", "de"),
        ("?lang=en", "de", "en"),
        ("?lang=klingon", "de", "de"),
        ("?lang=%00", ";;;", "en"),
    ],
)
def test_the_page_uses_the_readers_language(channel: NewChannel, query: str, accepts: str, language: str) -> None:
    answer = page(channel.channel.key, query, **{"Accept-Language": accepts})
    html = answer.content.decode()
    assert answer["Content-Language"] == language
    direction = "rtl" if language == "ar" else "ltr"
    assert f'<html lang="{language}" dir="{direction}"' in html and f'data-locale="{language}"' in html
    assert ("Chat mit Shop" in html) is (language == "de")


def test_the_channels_language_is_the_fallback(channel: NewChannel) -> None:
    Channel.objects.update(locale="de-AT", assistant_name="Wren <b>")
    answer = page(channel.channel.key)
    assert answer["Content-Language"] == "de" and "Chat mit Wren &lt;b&gt;" in answer.content.decode()


@pytest.mark.parametrize("key", ["pk_unknown", "x", "pk_%00", "%F0%9F%98%80", "pk_" + "a" * 300])
def test_an_unknown_channel_gets_a_helpful_404(channel: NewChannel, key: str) -> None:
    answer = page(key, **{"Accept-Language": "de"})
    html = answer.content.decode()
    assert answer.status_code == 404
    assert "Chat nicht gefunden" in html and "script" not in html
    assert policy_of(answer)["frame-ancestors"] == ["'self'"]


def test_the_page_of_a_closed_channel_is_not_found(channel: NewChannel) -> None:
    Channel.objects.update(is_live=False)
    answer = page(channel.channel.key)
    assert answer.status_code == 404 and "Chat not found" in answer.content.decode()


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_only_get_is_allowed(channel: NewChannel, method: str) -> None:
    answer: Any = getattr(Client(), method)(f"/chat/{channel.channel.key}/")
    assert answer.status_code == 405


def test_the_page_links_the_workspaces_imprint_and_privacy_page(channel: NewChannel) -> None:
    assert "Imprint" not in page(channel.channel.key).content.decode()
    Workspace.objects.update(imprint_url="https://shop.example/imprint", privacy_url="https://shop.example/privacy")
    german = page(channel.channel.key, "?lang=de").content.decode()
    assert '<a href="https://shop.example/imprint">Impressum</a>' in german
    assert '<a href="https://shop.example/privacy">Datenschutz</a>' in german


def test_a_chat_without_its_own_privacy_page_has_the_workspaces(channel: NewChannel) -> None:
    def linked() -> str:
        opened = Client().post(
            "/api/v1/widget/tickets",
            {"channel": channel.channel.key},
            "application/json",
            headers={"Origin": PAGE_ORIGIN},
        )
        return str(opened.json()["config"]["privacy_url"])

    assert linked() == ""
    Workspace.objects.update(privacy_url="https://shop.example/privacy")
    assert linked() == "https://shop.example/privacy"
    Channel.objects.update(privacy_url="https://shop.example/chat-privacy")
    assert linked() == "https://shop.example/chat-privacy"
