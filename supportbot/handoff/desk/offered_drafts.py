"""Stores the drafts offered to agents, compares them with what agents sent, and counts the outcomes.

The comparison is pure and uses neither a model nor vectors. A draft's text is cleared after some days; its outcome is
kept.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Count
from django.utils.timezone import now

from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.customer_language import customer_language
from supportbot.chat.event_log import lock_conversation
from supportbot.chat.models import Audience, Conversation, Message, Source
from supportbot.handoff.desk.drafting import Draft
from supportbot.handoff.models import OfferedDraft
from supportbot.language.detection import base_language
from supportbot.language.figures import all_figures_in
from supportbot.language.words import words
from supportbot.outbox.models import Announcement
from supportbot.releases.models import Release
from supportbot.releases.selectors import current

logger = logging.getLogger(__name__)
LONGEST: Final = 4_000  # the maximum number of characters compared
SENT_WITHIN: Final = timedelta(days=1)  # later replies are not based on the draft
TEXT_DAYS: Final = 30  # *Improve* shows corrected drafts for this long
# Chosen with `tests/handoff/desk/draft_cases.jsonl`, which has cases on both sides of each threshold.
LEAST_RUN: Final = 2  # consecutive words, since any two texts in one language share single words
REPLACED_BELOW: Final = 0.5  # the share of the draft's words that was kept
MUCH: Final = 0.25  # a draft counts as corrected if this share of it was removed and this share of the reply is new


@dataclass(frozen=True, slots=True)
class Use:
    """The outcome of a draft. `kept` is the share of its words that are in the sent reply, from 0 to 1.

    A correction changes what the draft says. Shortening it or adding a greeting is not a correction.
    """

    sent: str  # a value of `OfferedDraft.Sent`
    kept: float
    is_correction: bool


@transaction.atomic
def remember(conversation: Conversation, draft: Draft, *, person_id: UUID | None) -> OfferedDraft:
    """Store a draft shown to a person.

    Raises NotFound if the conversation was erased while the draft was being written.
    """
    lock_conversation(conversation.pk)
    made: OfferedDraft = OfferedDraft.objects.create(
        conversation=conversation,
        person_id=person_id,
        release_id=current().id,
        text=draft.text,
        articles=list(draft.articles),
    )
    return made


def on_agent_replied(announcement: Announcement) -> None:
    """Compare a reply with the newest draft offered to its author. A failure is logged and not retried.

    If the author sends several replies, the reply that keeps the most of the draft counts: a reply such as "One moment,
    please" does not replace the draft. Safe to run twice.
    """
    try:
        with transaction.atomic():
            _compare(announcement.object_id)
    except Exception:
        # The reply is mailed in the same transaction, and errors in these statistics must not hold the e-mail back.
        logger.exception("handoff: reply %s not compared with its draft", announcement.object_id)


def forget_texts() -> int:
    """Clear the text of old drafts in every workspace; return how many were cleared. Safe to run twice.

    Texts are kept for 30 days, or for as long as the workspace keeps the text of model calls if that is shorter.
    """
    count = 0
    for workspace in Workspace.objects.order_by("pk"):
        before = now() - timedelta(days=min(TEXT_DAYS, workspace.keep_bodies_days or TEXT_DAYS))
        with workspace_scope(workspace.pk):
            count += OfferedDraft.objects.filter(created_at__lt=before).exclude(text="").update(text="")
    return count


def _compare(message_id: UUID) -> None:
    message = Message.objects.select_related("conversation").filter(pk=message_id).first()
    if message is None or message.audience != Audience.EVERYONE:
        return
    draft = _draft_for(message)
    if draft is None or not draft.text:  # the text of an old draft has been cleared
        return
    language = base_language(customer_language(message.conversation))
    use = use_of(draft.text[:LONGEST], message.text[:LONGEST], language=language)
    if draft.kept is None or use.kept > draft.kept:
        draft.sent, draft.kept, draft.is_correction = use.sent, use.kept, use.is_correction
        draft.message_id = message.pk
        draft.save(update_fields=["sent", "kept", "is_correction", "message_id"])


def use_of(draft: str, sent: str, *, language: str) -> Use:
    """Return the outcome of a draft after the reply `sent`."""
    offered, written = words(draft), words(sent)
    if offered == written:
        return Use("as_is", 1.0, is_correction=False)
    blocks = SequenceMatcher(None, offered, written, autojunk=False).get_matching_blocks()
    shared = sum(block.size for block in blocks if block.size >= LEAST_RUN)
    kept, new = shared / max(1, len(offered)), 1 - shared / max(1, len(written))
    if kept < REPLACED_BELOW:
        return Use("replaced", kept, is_correction=True)
    before, after = _figures(draft, language), _figures(sent, language)
    has_other_figure = bool(before - after) and bool(after - before)
    return Use("edited", kept, is_correction=has_other_figure or (1 - kept >= MUCH and new >= MUCH))


def _draft_for(reply: Message) -> OfferedDraft | None:
    """Return the draft that a reply may be based on, or None if it was already sent before the customer's latest
    message.
    """
    if reply.author_id is None:
        return None
    drafts = OfferedDraft.objects.filter(
        conversation=reply.conversation_id,
        person=reply.author_id,
        created_at__lte=reply.created_at,
        created_at__gte=reply.created_at - SENT_WITHIN,
    )
    draft: OfferedDraft | None = drafts.first()
    if draft is None or draft.message_id is None:
        return draft
    asked_since = Message.objects.filter(
        conversation=reply.conversation_id,
        source=Source.CUSTOMER,
        seq__lt=reply.seq,
        created_at__gt=draft.created_at,
    )
    return None if asked_since.exists() else draft


def _figures(text: str, language: str) -> set[frozenset[tuple[str, str]]]:
    found = all_figures_in(text, language)
    return {frozenset((str(unit), str(value)) for unit, value in one.readings) for one in found}


@dataclass(frozen=True, slots=True)
class DraftOutcomes:
    """How many drafts had each outcome. Drafts from the last day that have no reply yet are not counted."""

    as_is: int = 0
    edited: int = 0
    replaced: int = 0
    unused: int = 0

    @property
    def offered(self) -> int:
        return self.as_is + self.edited + self.replaced + self.unused

    def share(self, number: int) -> float | None:
        """Return `number` as a percentage of all offered drafts."""
        return 100 * number / self.offered if self.offered else None


def shares_by_release(since: datetime, until: datetime) -> list[tuple[int | None, DraftOutcomes]]:
    """Return the outcomes of drafts by the number of their release, newest first. None stands for deleted releases."""
    found = _shares("release_id", since, until)
    numbers = dict(Release.objects.filter(pk__in=[key for key in found if key]).values_list("pk", "number"))
    rows = [(numbers.get(key), shares) for key, shares in found.items()]
    return sorted(rows, key=lambda row: -(row[0] or 0))


def shares_by_person(since: datetime, until: datetime) -> Mapping[UUID | None, DraftOutcomes]:
    return _shares("person_id", since, until)


def _shares(by: str, since: datetime, until: datetime) -> dict[Any, DraftOutcomes]:
    rows = OfferedDraft.objects.filter(created_at__gte=since, created_at__lt=until)
    counted = rows.exclude(sent="", created_at__gte=now() - SENT_WITHIN)
    found: defaultdict[Any, Counter[str]] = defaultdict(Counter)
    for key, sent, number in counted.order_by().values_list(by, "sent").annotate(number=Count("pk")):
        found[key][sent or "unused"] += number
    return {key: DraftOutcomes(**counts) for key, counts in found.items()}
