"""Approved conversations become anonymous training data; no customer is in both files."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from supportbot.accounts.models import Customer, User, Workspace
from supportbot.chat.models import Conversation, Message
from supportbot.chat.services import start_conversation
from supportbot.widget.models import Rating

pytestmark = pytest.mark.django_db


def chat(name: str, *lines: tuple[str, str], score: int = 0, unknown: bool = False, agent: User | None = None) -> None:
    made: Conversation = start_conversation(Customer.objects.create(name=name).pk)
    for seq, (who, text) in enumerate(lines, start=10):
        source, _, courtesy = who.partition(":")
        by = {"author": agent, "author_name": "Ines Kowalski"} if source == "agent" else {}
        is_none = unknown and source == "assistant"
        Message.objects.create(
            conversation=made, seq=seq, source=source, text=text, courtesy=courtesy, is_abstention=is_none, **by
        )
    if score:
        Rating.objects.create(conversation=made, score=score)


def exported(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    out = StringIO()
    call_command("finetune_export", str(folder), "--json", stdout=out)
    lines = [json.loads(line) for name in ("train", "validation") for line in (folder / f"{name}.jsonl").open()]
    return json.loads(out.getvalue()), lines


def test_only_approved_conversations_are_exported_without_names(
    workspace: Workspace, bob: User, tmp_path: Path
) -> None:
    asked = ("customer", "I am Mara Lind, mara@example.com. How long may I return it?")
    chat("Mara Lind", asked, ("assistant", "Sixty days [1]."), ("customer:thanks", "Thanks"), score=5)
    reply = ("agent", "Yes, Tom, for 25 euros. Ines Kowalski")
    chat("Tom", ("customer", "Can I rent?"), ("assistant", "No idea."), reply, unknown=True, agent=bob)
    chat("Uwe", ("customer", "Do you ski?"), ("assistant", "No idea."), score=4, unknown=True)
    chat("Eve", ("customer", "How long?"), ("assistant", "Two days."), score=1)
    chat("Ann", ("customer", "How long?"), ("assistant", "Three days."))
    told, lines = exported(tmp_path / "data")
    contents = sorted([message["content"] for message in line["messages"]] for line in lines)
    assert contents == [
        ["Can I rent?", "Yes, [customer], for 25 euros. [agent]"],
        ["I am [customer], [e-mail]. How long may I return it?", "Sixty days."],
    ]
    assert {message["role"] for line in lines for message in line["messages"]} == {"user", "assistant"}
    assert (told["total"], told["rated"], told["corrected"], told["languages"]) == (2, 1, 1, "en 2")
    card = (tmp_path / "data" / "README.md").read_text()
    assert "# Conversations of Wrenfell Outdoor" in card and "| examples | 2:" in card


def test_a_customer_is_in_one_file_only_and_no_file_is_overwritten(workspace: Workspace, tmp_path: Path) -> None:
    for number in range(60):
        chat(f"Customer {number}", ("customer", f"Question {number}?"), ("assistant", "Sixty days."), score=5)
    told, _ = exported(tmp_path / "data")
    assert told["train"] + told["validation"] == 60
    assert told["train"] > 40 > told["validation"]
    before = (tmp_path / "data" / "train.jsonl").read_bytes()
    with pytest.raises(CommandError, match="is not an empty folder"):
        exported(tmp_path / "data")
    assert (tmp_path / "data" / "train.jsonl").read_bytes() == before
