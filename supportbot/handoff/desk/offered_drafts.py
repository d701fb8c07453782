"""Remembers the drafts that agents were offered, and compares them with what they then sent."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from supportbot.chat.customer_language import customer_language
from supportbot.chat.models import Audience, Conversation, Message, Source
from supportbot.handoff.desk.draft_use import use_of
from supportbot.handoff.desk.drafting import Draft
from supportbot.handoff.models import OfferedDraft
from supportbot.language.detection import base_language
from supportbot.outbox.models import Announcement
from supportbot.releases.selectors import current

LONGEST: Final = 4_000  # characters that are compared
SENT_WITHIN: Final = timedelta(days=1)  # a later reply was not made from the draft


def remember(conversation: Conversation, draft: Draft, *, person_id: UUID | None) -> OfferedDraft:
    """Store a draft that is shown to a person."""
    made: OfferedDraft = OfferedDraft.objects.create(
        conversation=conversation,
        person_id=person_id,
        release_id=current().id,
        text=draft.text,
        articles=list(draft.articles),
    )
    return made


def on_agent_replied(announcement: Announcement) -> None:
    """Compare a reply with the newest draft that its author was offered for it.

    Of several replies, the one that kept most of the draft counts: "One moment, please" replaces nothing. Safe to run
    twice.
    """
    message = Message.objects.select_related("conversation").filter(pk=announcement.object_id).first()
    if message is None or message.audience != Audience.EVERYONE:
        return
    draft = _draft_for(message)
    if draft is None:
        return
    language = base_language(customer_language(message.conversation))
    use = use_of(draft.text[:LONGEST], message.text[:LONGEST], language=language)
    if draft.kept is None or use.kept > draft.kept:
        draft.sent, draft.kept, draft.is_correction = use.sent, use.kept, use.is_correction
        draft.message_id = message.pk
        draft.save(update_fields=["sent", "kept", "is_correction", "message_id"])


def _draft_for(reply: Message) -> OfferedDraft | None:
    """Return the draft that a reply may have been made from; none if it was sent before the customer wrote again."""
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
