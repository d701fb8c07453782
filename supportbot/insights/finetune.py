"""Approved conversations as training data: masked chats as JSON Lines, split by customer, with a data card.

Answers are approved if a customer rated them 4 or 5, or if the team wrote them in place of the assistant's. Abstentions
are left out together with their questions, and so are chats that the customer rated badly.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext

from supportbot.accounts.models import Workspace
from supportbot.chat.customer_language import detected_language
from supportbot.chat.models import Audience, Conversation, Message, Source
from supportbot.errors import InvalidInput
from supportbot.insights.improve.findings import LEAST_REPLY
from supportbot.insights.outcome_rules import HAPPY, UNHAPPY
from supportbot.language.personal_data import without_names
from supportbot.language.sentences import unmarked
from supportbot.llm.masking import redact
from supportbot.widget.models import Rating

VALIDATION_SHARE: Final = 10  # percent of the customers
FILES: Final = {"train": "train.jsonl", "validation": "validation.jsonl"}
CARD: Final = "README.md"
_CARD: Final = """\
# Conversations of {workspace}

Chat examples for fine-tuning, one JSON object a line: `{{"messages": [{{"role", "content"}}, ...]}}`.

| | |
|---|---|
| created | {made} |
| conversations started | {since} to {until} |
| examples | {total}: {train} for training, {validation} for validation |
| approved by the customer (4 or 5 of 5) | {rated} |
| answered by a person instead of the assistant | {corrected} |
| languages | {languages} |

**Selection.** Chats that a customer rated 1 or 2 are left out, and so are questions without an answer, courtesies,
notices and internal notes. If a person took over, their reply replaces the assistant's answer before it.

**Masking.** E-mail addresses, telephone, card, account and other long numbers, keys, and the names of the customer and
of the person who replied are replaced by their kind. Other names in free text cannot be detected: read the examples
before you share them.

**Split.** By customer: no customer has examples in both files.

**Limits.** Answers that customers liked are not always true: articles may have changed since. Train on these chats only
if you have the right to use them for that purpose.
"""


@dataclass(frozen=True, slots=True)
class Example:
    """An approved conversation in the form used to train a model."""

    customer: UUID
    language: str
    is_corrected: bool
    messages: tuple[Mapping[str, str], ...]

    @property
    def split(self) -> str:
        """Return the split that this example belongs to. It is the same for all of a customer's conversations and in
        every export.
        """
        share = int.from_bytes(hashlib.sha256(self.customer.bytes).digest()[:4]) % 100
        return "validation" if share < VALIDATION_SHARE else "train"


def write_examples(folder: Path, workspace: Workspace, *, since: datetime) -> dict[str, Any]:
    """Write the files, and return the values of the data card. Raises InvalidInput if the folder is not empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInput(
            gettext("{folder} is not an empty folder. Choose a new or empty folder.").format(folder=folder)
        )
    folder.mkdir(parents=True, exist_ok=True)
    found = list(examples(since))
    for split, name in FILES.items():
        lines = (json.dumps({"messages": one.messages}, ensure_ascii=False) for one in found if one.split == split)
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    summary = _summary(found, workspace, since.date())
    (folder / CARD).write_text(_CARD.format(**summary), encoding="utf-8")
    return summary


def _summary(found: Sequence[Example], workspace: Workspace, since: date) -> dict[str, Any]:
    splits, languages = Counter(one.split for one in found), Counter(one.language for one in found)
    return {
        "workspace": workspace.name,
        "made": now().date().isoformat(),
        "since": since.isoformat(),
        "until": now().date().isoformat(),
        "total": len(found),
        "train": splits["train"],
        "validation": splits["validation"],
        "rated": sum(not one.is_corrected for one in found),
        "corrected": sum(one.is_corrected for one in found),
        "languages": ", ".join(f"{name} {count}" for name, count in languages.most_common()) or "none",
    }


def examples(since: datetime) -> Iterator[Example]:
    """Yield the approved conversations of the workspace, oldest first."""
    for conversation in _approved(since).select_related("customer").order_by("pk").iterator(chunk_size=200):
        thread = list(
            Message.objects.filter(conversation=conversation, audience=Audience.EVERYONE, courtesy="")
            .exclude(source=Source.SYSTEM)
            .order_by("seq")
        )
        pairs = list(_pairs(thread))
        if pairs:
            yield _example(conversation, thread, pairs)


def _approved(since: datetime) -> QuerySet[Conversation]:
    ratings = Rating.objects.filter(conversation=OuterRef("pk"))
    replies = Message.objects.filter(conversation=OuterRef("pk"), source=Source.AGENT, audience=Audience.EVERYONE)
    return Conversation.objects.filter(
        Q(Exists(ratings.filter(score__gte=HAPPY))) | Q(Exists(replies)),
        ~Exists(ratings.filter(score__lte=UNHAPPY)),
        created_at__gte=since,
    )


def _pairs(thread: Sequence[Message]) -> Iterator[tuple[str, Message]]:
    """Yield each question with its last answer, or with a person's answer if a person replied. Questions without an
    answer are left out.
    """
    question: list[str] = []
    answer: Message | None = None
    for one in thread:
        if one.source == Source.CUSTOMER:
            if answer is not None:
                yield "\n".join(question), answer
                question, answer = [], None
            question.append(one.text)
        elif question and _answers(one) and (answer is None or one.source == Source.AGENT):
            answer = one
    if answer is not None:
        yield "\n".join(question), answer


def _answers(one: Message) -> bool:
    return len(one.text) >= LEAST_REPLY if one.source == Source.AGENT else bool(one.text) and not one.is_abstention


def _example(conversation: Conversation, thread: Sequence[Message], pairs: Sequence[tuple[str, Message]]) -> Example:
    names = {conversation.customer.name: "[customer]"} | {
        one.author_name: "[agent]" for one in thread if one.author_name
    }
    messages = [
        {"role": role, "content": masked(text, names)}
        for question, answer in pairs
        for role, text in (("user", question), ("assistant", unmarked(answer.text)))
    ]
    return Example(
        customer=conversation.customer_id,
        language=detected_language(pairs[0][0], conversation.locale).partition("-")[0],
        is_corrected=any(answer.source == Source.AGENT for _, answer in pairs),
        messages=tuple(messages),
    )


def masked(text: str, names: Mapping[str, str]) -> str:
    """Return the text with personal data masked: whatever has a recognisable format, and these names, whole or in
    parts.
    """
    return without_names(redact(text), names)
