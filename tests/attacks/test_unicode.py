"""Disguised text and identifiers: stored text hides nothing, and the assistant reads what a person would."""

from collections.abc import Callable
from typing import Any

import pytest

from supportbot.accounts.channels import create_channel
from supportbot.accounts.models import Customer, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.workspaces import create_workspace
from supportbot.async_db import db
from supportbot.chat.errors import UnreadableText
from supportbot.chat.models import Message
from supportbot.chat.services import clean_text
from supportbot.language.normalise import fold_homoglyphs, mixes_scripts, normalised, visible
from tests.attacks import checks
from tests.attacks.corpus import Row, rows
from tests.attacks.scenario import Scenario
from tests.widget.page import ask_for_ticket, identity_token

# Encoded: neither people nor the assistant read it as words.
IN_CODE = {"rot13"}
# To be read in the order of the letters, without bidirectional characters.
TURNED = {"rlo"}
# The hidden words are gone altogether: nobody sees them.
HIDDEN_BESIDE = {"tags_block"}


def of_kind(*, is_identity: bool) -> list[Any]:
    return [entry for entry in rows("unicode") if entry.values[0].kind.startswith("identity") == is_identity]


def stored_form(text: str) -> str:
    """Return what would be stored; "" for text that is refused with a message."""
    try:
        return clean_text(text)
    except UnreadableText:
        return ""


@pytest.mark.parametrize("row", of_kind(is_identity=False))
def test_the_assistant_reads_what_a_person_reads(row: Row) -> None:
    stored, meant = stored_form(row.raw["text"]), row.raw["hidden_or_plain"]
    read = normalised(stored)
    checks.cannot_deceive_the_eye(stored)
    checks.cannot_deceive_the_eye(read)
    if row.kind in HIDDEN_BESIDE:
        assert checks.bare(meant) not in checks.bare(stored + read)
    elif row.kind in TURNED:
        assert checks.bare(meant)[::-1] == checks.bare(read)
    elif stored and row.kind not in IN_CODE:
        assert set(meant.casefold().split()) <= set(read.casefold().split())
        # A model's words are checked in their folded form.
        assert set(fold_homoglyphs(meant).casefold().split()) <= set(fold_homoglyphs(stored).casefold().split())


async def test_disguises_in_whole_turns_have_no_effect(new_scenario: Callable[..., Any]) -> None:
    """The stored text and the model's text are those of the pure functions; nothing is executed or disclosed."""
    entries = of_kind(is_identity=False)
    scenario = await new_scenario(entries[0].values[0])
    texts = [form for entry in entries if (form := stored_form(entry.values[0].raw["text"]))]
    for text in texts[:12]:
        await scenario.ask(text)
        [request] = scenario.models[-1].requests
        assert request.question == normalised(text)
    assert await db(_stored, scenario) == texts[:12]
    await db(checks.no_action_executed, scenario)
    await db(checks.no_foreign_data, scenario)


def _stored(scenario: Scenario) -> list[str]:
    with scenario.world.at_home():
        messages = Message.objects.filter(conversation=scenario.conversation, source="customer").order_by("seq")
        return [message.text for message in messages]


@pytest.mark.django_db
@pytest.mark.parametrize("row", of_kind(is_identity=True))
def test_a_disguised_identifier_is_never_another_customers(row: Row) -> None:
    """As the subject of a token, it is refused, or it means a separate customer."""
    workspace: Workspace = create_workspace("Here", slug="here")
    with workspace_scope(workspace.pk):
        real = {Customer.objects.create(external_id=person["id"], email=person["email"]).pk
                for person in row.world["customers"]}  # fmt: skip
        channel = create_channel(workspace, "Shop", allowed_origins=["https://here.example"])
    asked = {"channel": channel.channel.key, "token": identity_token(channel, row.raw["text"])}
    answer = ask_for_ticket(asked, origin="https://here.example")
    assert answer.status_code in (201, 401), answer.content
    with workspace_scope(workspace.pk):
        fresh = Customer.objects.exclude(pk__in=real)
        assert fresh.count() == (1 if answer.status_code == 201 else 0)


@pytest.mark.parametrize(
    "text",
    [
        "Größe für Ärzte – 5 µm", "naïve café, Øresund, Łódź", "Привет, где мой заказ?", "Πού είναι η παραγγελία μου;",
        "می‌خواهم سفارشم را پس بدهم", "क्‍ष", "👨‍👩‍👧 ❤️ 🇩🇪 1️⃣", "注文をキャンセルしたい",
        "Tシャツ", "أين طلبي؟", "איפה ההזמנה שלי?",
    ],
)  # fmt: skip
def test_ordinary_text_in_any_language_is_unchanged(text: str) -> None:
    assert visible(text) == text
    assert not mixes_scripts(text)


@pytest.mark.parametrize("hidden", ["refunded", "storniert", "erstattet", "evil.com"])
@pytest.mark.parametrize(
    "disguise",
    [
        lambda word: word.replace("e", "\u0435"), lambda word: word.replace("n", "ɴ").replace("e", "ᴇ"),
        "\u200b".join, "\u2060".join, "\u00ad".join, "\ufe0f".join, "\u0336".join, "\u20e3".join,
        lambda word: "".join(f"&#{ord(letter)};" for letter in word),
        lambda word: "".join(chr(ord(letter) + 0xFEE0) for letter in word),
        lambda word: word.replace("e", "ẹ").replace("i", "į"), lambda word: word.replace("n", "ո").replace("d", "ԁ"),
    ],
)  # fmt: skip
def test_no_disguise_of_a_word_escapes_the_checks(hidden: str, disguise: Callable[[str], str]) -> None:
    assert fold_homoglyphs(disguise(hidden)).lower() == hidden
