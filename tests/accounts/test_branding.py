"""A channel's branding: it is stored, invalid values are refused by field, and every colour becomes legible."""

import re
from random import Random
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from rest_framework.test import APIClient

from supportbot.accounts.branding import (
    greeting_in,
    in_language,
    theme_colours,
    validate_greetings,
    validate_suggestions,
)
from supportbot.accounts.channels import create_channel
from supportbot.accounts.colour import DARK, LIGHT, TEXT, Theme, blend, contrast, fit, parse, to_hex
from supportbot.accounts.models import Channel, User, Workspace
from supportbot.accounts.team_members import add_member
from tests.rest import person

CHANNELS = "/api/v1/channels"
ANY_COLOURS = ["#000000", "#ffffff", "#ffd400", "#7f7f7f", "#1f5b45", "#ff00ff", "#00ffff"] + [
    f"#{Random(seed).randrange(1 << 24):06x}" for seed in range(60)
]


@pytest.mark.one_in(10)
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("accent", ANY_COLOURS)
def test_any_colour_becomes_legible(accent: str, theme: Theme) -> None:
    tokens = {name: parse(value) for name, value in fit(accent, theme).items()}
    backgrounds = [parse(value) for value in (theme.bg, theme.sunken, theme.surface, theme.hover)]
    assert min(contrast(tokens["on-accent"], tokens[name]) for name in ("accent-solid", "accent-hover")) >= TEXT
    assert min(contrast(tokens["accent-ink"], one) for one in [*backgrounds, tokens["accent-soft"]]) >= TEXT
    assert contrast(parse(theme.faintest_ink), tokens["accent-soft"]) >= TEXT


def test_a_legible_colour_is_unchanged() -> None:
    green = fit("#1f5b45", LIGHT)
    assert (green["accent"], green["accent-solid"], green["on-accent"]) == ("#1f5b45", "#1f5b45", "#ffffff")
    assert fit("#1f5b45", DARK)["accent-ink"] == "#97b1a4"
    assert fit("#ffd400", LIGHT)["on-accent"] == "#1e1c19"


@pytest.mark.parametrize(
    ("one", "two", "share", "mixed"),
    [
        ("#3a50b5", "#ffffff", 0.46, "#9eafe1"),
        ("#3a50b5", "#000000", 0.92, "#3347a2"),
        ("#ffd400", "#1c1b19", 0.11, "#312c1f"),
    ],
)
def test_colours_mix_as_in_style_sheets(one: str, two: str, share: float, mixed: str) -> None:
    """The expected values are those that Chromium computes for `color-mix(in oklab, ONE SHARE%, TWO)`."""
    assert to_hex(blend(parse(one), parse(two), share)) == mixed


def test_contrast_follows_wcag() -> None:
    assert contrast(parse("#000000"), parse("#ffffff")) == pytest.approx(21)


def test_the_backgrounds_match_the_style_sheet() -> None:
    sheet = (settings.BASE_DIR / "kb" / "static" / "kb" / "tokens.css").read_text(encoding="utf-8")
    for selector, theme in ((':root, [data-theme="light"]', LIGHT), ('[data-theme="dark"]', DARK)):
        block = re.search(re.escape(selector) + r" \{(.*?)\n\}", sheet, re.DOTALL)
        assert block is not None
        table = dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6});", block[1]))
        told = [table[name] for name in ("bg", "sunken", "surface", "hover", "ink-3")]
        assert told == [theme.bg, theme.sunken, theme.surface, theme.hover, theme.faintest_ink]


def test_without_an_accent_there_are_no_theme_colours() -> None:
    assert theme_colours("") == {}
    assert theme_colours("#1f5b45")["dark"]["accent-solid"] == "#40705c"


@pytest.mark.parametrize(
    ("locale", "greeting"),
    [
        ("en", "Hello from the shop"),
        ("en-GB", "Hello from the shop"),
        ("de", "Hallo aus dem Laden"),
        ("de_AT", "Hallo aus dem Laden"),
        ("sv", "Hello from the shop"),
    ],
)
def test_a_greeting_is_in_the_conversations_language(locale: str, greeting: str) -> None:
    others = {"de": "Hallo aus dem Laden"}
    assert greeting_in(locale, own="Hello from the shop", own_locale="en", others=others) == greeting


def test_without_a_greeting_of_its_own_a_channel_uses_the_default() -> None:
    assert greeting_in("de", own="Hello from the shop", own_locale="en", others={}).startswith("Hallo")
    assert greeting_in("en", own="", own_locale="de", others={}).startswith("Hello")
    assert greeting_in("fr-CA", own="Hello from the shop", own_locale="en", others={}).startswith("Bonjour")
    assert in_language({"de-AT": ["Servus"], "de": ["Hallo"]}, "de-at") == ["Servus"]
    assert in_language({"en": ["Hi"]}, "de") is None


@pytest.mark.parametrize(
    "value",
    [
        [],
        "en",
        {"en": "one"},
        {"en": ["a", "b", "c", "d"]},
        {"en": [""]},
        {"en": [1]},
        {"en": ["x" * 81]},
        {"en": ["two\nlines"]},
        {"en": ["\x00"]},
        {"english": ["a"]},
        {"": ["a"]},
        {f"{one}{two}": [] for one in "abcde" for two in "abcde"},
    ],
)
def test_invalid_suggestions_are_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        validate_suggestions(value)


@pytest.mark.parametrize(
    "value", [["x"], {"en": ["x"]}, {"en": " "}, {"en": "x" * 301}, {"??": "x"}, {"en": "Hi {name"}]
)
def test_invalid_greetings_are_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        validate_greetings(value)


@pytest.fixture
def admins(workspace: Workspace) -> APIClient:
    admin = User.objects.create_user("admin")
    add_member(workspace, admin, "admin")
    return person(workspace, admin, role="admin")


LOOK = {
    "greetings": {"de": "Hallo"},
    "suggestions": {"en": ["Where is my order?"], "de-AT": []},
    "assistant_name": "Wren",
    "accent": "#1F5B45",
    "privacy_url": "https://shop.example/privacy",
    "confirms_on_hosted_page": True,
}


@pytest.mark.django_db
def test_a_channel_is_created_and_changed_with_branding(admins: APIClient) -> None:
    made = admins.post(CHANNELS, {"name": "Shop", **LOOK}, format="json").json()
    assert {name: made[name] for name in LOOK} == LOOK
    assert made["hosted_url"].endswith(f"/chat/{made['key']}/")
    address = f"{CHANNELS}/{made['id']}"
    assert admins.patch(address, {"accent": "", "suggestions": {}}, format="json").status_code == 200
    stored = Channel.objects.get()
    assert (stored.accent, stored.suggestions, stored.assistant_name) == ("", {}, "Wren")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("accent", "green"),
        ("accent", "#12345"),
        ("accent", "url(x)"),
        ("privacy_url", "javascript:alert(1)"),
        ("privacy_url", "/privacy"),
        ("suggestions", {"en": ["a", "b", "c", "d"]}),
        ("suggestions", "x"),
        ("greetings", {"en": 5}),
        ("greetings", {"en": "Hi {name}, {x}"}),
        ("greeting", "Hi {name"),
        ("greeting", "Hi {{name}}"),
        ("allowed_origins", [f"https://{number}.example" for number in range(51)]),
        ("assistant_name", 5),
        ("confirms_on_hosted_page", "perhaps"),
    ],
)
def test_invalid_branding_is_named_and_changes_nothing(
    admins: APIClient, workspace: Workspace, field: str, value: Any
) -> None:
    channel = create_channel(workspace, "Shop", accent="#123456").channel
    for answer in (
        admins.patch(f"{CHANNELS}/{channel.pk}", {"name": "Other", field: value}, format="json"),
        admins.post(CHANNELS, {"name": "Other", field: value}, format="json"),
    ):
        assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert [(row.name, row.accent) for row in Channel.objects.all()] == [("Shop", "#123456")]
