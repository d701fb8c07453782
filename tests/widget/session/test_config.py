"""The configuration in a ticket's response: texts in the conversation's language, branding and rules."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from kb.importing.picture_reencoding import redrawn_logo
from supportbot.accounts.branding import personalised_greeting
from supportbot.accounts.channels import NewChannel
from supportbot.accounts.logos import set_logo
from supportbot.accounts.models import Channel, Customer
from supportbot.chat.models import Conversation, Message
from tests.console.test_firststeps import png
from tests.widget.page import ask_for_ticket, ticket

pytestmark = pytest.mark.django_db


def configured(channel: NewChannel) -> None:
    Channel.objects.filter(pk=channel.channel.pk).update(
        greetings={"de": "Hallo aus dem Laden"},
        suggestions={"en": ["Where is my order?"], "de": ["Wo ist meine Bestellung?"]},
        assistant_name="Wren",
        accent="#1f5b45",
        privacy_url="https://shop.acme.test/privacy",
        confirms_on_hosted_page=True,
    )


def config(channel: NewChannel, **fields: Any) -> dict[str, Any]:
    answer: dict[str, Any] = ticket(channel, **fields)["config"]
    return answer


def test_an_unconfigured_channel_sends_defaults(channel: NewChannel) -> None:
    answer = config(channel)
    assert (answer["greeting"], answer["locale"], answer["name"]) == ("Hello from the shop", "en", "")
    assert (answer["suggestions"], answer["look"], answer["privacy_url"]) == ([], {}, "")
    assert (answer["confirm_on_hosted_page"], answer["is_ended"]) == (False, False)
    assert answer["hosted_url"].endswith(f"/chat/{channel.channel.key}/")


def test_a_configured_channel_uses_the_requested_language(channel: NewChannel) -> None:
    configured(channel)
    english, german = config(channel), config(channel, locale="de-AT")
    assert (english["greeting"], english["suggestions"]) == ("Hello from the shop", ["Where is my order?"])
    assert (german["greeting"], german["suggestions"]) == ("Hallo aus dem Laden", ["Wo ist meine Bestellung?"])
    assert german["locale"] == "de-AT" and "KI" in german["notice"]
    assert german["look"]["light"]["accent-solid"] == "#1f5b45" and german["look"]["dark"]["on-accent"] == "#ffffff"
    assert (german["name"], german["privacy_url"]) == ("Wren", "https://shop.acme.test/privacy")
    assert german["confirm_on_hosted_page"] is True


def test_the_workspaces_logo_is_named_by_its_whole_address(channel: NewChannel, client: Client) -> None:
    assert config(channel)["logo"] == ""
    logo = set_logo(channel.channel.workspace, redrawn_logo(png()))
    address = config(channel)["logo"]
    assert address == f"{settings.BASE_URL}/logo/{logo.digest}.png"
    assert client.get(address.removeprefix(settings.BASE_URL)).headers["Cross-Origin-Resource-Policy"] == "cross-origin"


def test_a_german_conversation_starts_in_german(channel: NewChannel) -> None:
    granted = ticket(channel, locale="de")
    conversation = Conversation.objects.get(pk=granted["conversation"])
    assert (conversation.locale, Customer.objects.get().locale) == ("de", "de")
    assert "KI" in Message.objects.get().text
    assert granted["config"]["greeting"].startswith("Hallo")  # the default text, since the channel has no German one


def test_a_language_without_a_region_gets_that_of_the_channel_or_the_workspace(channel: NewChannel) -> None:
    workspace = channel.channel.workspace
    workspace.locale = "en-GB"
    workspace.save()
    assert config(channel, locale="en")["locale"] == "en-GB"
    Channel.objects.filter(pk=channel.channel.pk).update(locale="en-US")
    assert [config(channel, locale=tag)["locale"] for tag in ("en", "en-AU", "de")] == ["en-US", "en-AU", "de"]


@pytest.mark.parametrize(("locale", "hour12"), [("en", False), ("en-US", True), ("es-AR", False), ("ar", True)])
def test_the_clock_is_that_of_the_locale(channel: NewChannel, locale: str, hour12: bool) -> None:
    assert config(channel, locale=locale)["hour12"] is hour12


def test_an_existing_conversation_keeps_its_language(channel: NewChannel) -> None:
    first = ticket(channel, locale="de")
    proof = {"visitor": first["visitor"], "conversation": first["conversation"]}
    assert config(channel, **proof, locale="en")["locale"] == "de"


@pytest.mark.parametrize("locale", ["", "Klingon!", "x", "de-" + "a" * 20, 5, None])
def test_an_invalid_locale_is_rejected(channel: NewChannel, locale: Any) -> None:
    answer = ask_for_ticket({"channel": channel.channel.key, "locale": locale})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["locale"])
    assert not Conversation.objects.exists() and not Customer.objects.exists()


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("name", "greeting"),
    [
        ("Mara Lindner", "Hello Mara, how can we help?"),
        ("  Mara ", "Hello Mara, how can we help?"),
        ("Dr. Weber", "Hello Dr. Weber, how can we help?"),
        ("", "Hello, how can we help?"),
        ("mara@example.com", "Hello, how can we help?"),
        ("M" * 41, "Hello, how can we help?"),
        ("Smith, John", "Hello John, how can we help?"),
        ("Herr Müller", "Hello Herr Müller, how can we help?"),
        ("J. Weber", "Hello J. Weber, how can we help?"),
        ("J.", "Hello J, how can we help?"),
        ("12345", "Hello, how can we help?"),
        ("{name}", "Hello, how can we help?"),
    ],
)
def test_the_greeting_names_a_signed_in_customer(channel: NewChannel, name: str, greeting: str) -> None:
    Channel.objects.filter(pk=channel.channel.pk).update(greeting="Hello {name}, how can we help?")
    granted = ticket(channel)
    Customer.objects.update(name=name)
    proof = {"visitor": granted["visitor"], "conversation": granted["conversation"]}
    assert config(channel, **proof)["greeting"] == greeting


@pytest.mark.parametrize("greeting", ["Hello, {name}!", "Hello {name}!", "{name}, Hello!"])
def test_without_a_name_the_greeting_has_no_gap(greeting: str) -> None:
    assert personalised_greeting(greeting, "") == "Hello!"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Mme Martin", "Mme Martin"),
        ("Señora García", "Señora García"),
        ("Signora Rossi", "Signora Rossi"),
        ("Mevrouw de Vries", "Mevrouw de Vries"),
        ("Pani Nowak", "Pani Nowak"),
        ("السيدة ليلى", "السيدة ليلى"),
        ("عبد الرحمن", "عبد الرحمن"),
        ("Amélie Martin", "Amélie"),
    ],
)
def test_a_title_in_any_language_is_followed_by_the_whole_name(name: str, shown: str) -> None:
    assert personalised_greeting("Hello {name}!", name) == f"Hello {shown}!"
