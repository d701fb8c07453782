"""Canned replies: found by words or parts of words, and filled in for the customer."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from supportbot.accounts.models import User
from supportbot.chat.customer_language import customer_language
from supportbot.chat.models import Conversation
from supportbot.chat.services import MAX_MESSAGE_CHARACTERS, UNREADABLE
from supportbot.errors import InvalidInput, NotFound
from supportbot.handoff.models import CannedReply
from supportbot.language.detection import base_language
from supportbot.translation import ptext_in

MAX_SUGGESTIONS: Final = 8


@dataclass(frozen=True, slots=True)
class FilledReply:
    """A canned reply as it would be inserted."""

    id: UUID
    title: str
    text: str
    locale: str

    def as_json(self) -> dict[str, Any]:
        return {"id": str(self.id), "title": self.title, "text": self.text, "locale": self.locale}


def matching_replies(conversation: Conversation, agent: User, words: str = "") -> list[FilledReply]:
    """Return the replies that contain all the words.

    Replies in the customer's language come first; otherwise they are sorted by title.
    """
    language = base_language(customer_language(conversation))
    wanted = words.casefold().split()
    matching = [reply for reply in CannedReply.objects.all() if _contains_all(wanted, f"{reply.title} {reply.text}")]
    matching.sort(
        key=lambda reply: (reply.locale not in (language, ""), not _contains_all(wanted, reply.title), reply.title)
    )
    return [_filled(reply, conversation, agent, language) for reply in matching[:MAX_SUGGESTIONS]]


def _contains_all(wanted: list[str], text: str) -> bool:
    """Return whether the text contains every word, even if only as part of another word."""
    return all(word in text.casefold() for word in wanted)


def _filled(reply: CannedReply, conversation: Conversation, agent: User, language: str) -> FilledReply:
    """Fill in the placeholders. A customer's name that looks like a placeholder is not filled in again.

    `language` is used for replies that have no language of their own.
    """
    first_name = conversation.customer.name.split(" ")[0] or ptext_in(
        reply.locale or language, "in place of a customer's name, as in “Hello there”", "there"
    )
    parts = reply.text.split("{agent}")
    text = agent.display_name.join(part.replace("{name}", first_name) for part in parts)
    return FilledReply(reply.pk, reply.title, text, reply.locale)


def save_reply(*, title: str, text: str, locale: str = "", reply_id: UUID | None = None) -> CannedReply:
    """Create a reply, or change the one with `reply_id`. Raises InvalidInput with the field's name, or NotFound."""
    reply = CannedReply(title=title.strip(), text=text.strip(), locale=locale)
    if reply_id is not None:
        reply = _reply(reply_id)
        reply.title, reply.text, reply.locale = title.strip(), text.strip(), locale
    for field in ("title", "text"):
        if UNREADABLE.search(getattr(reply, field)):
            raise InvalidInput(fields={field: [gettext("Remove the characters that cannot be stored.")]})
    if len(reply.text) > MAX_MESSAGE_CHARACTERS:
        problem = gettext("The text has {text} characters. Shorten it to at most {max_message_characters}.").format(
            text=len(reply.text), max_message_characters=MAX_MESSAGE_CHARACTERS
        )
        raise InvalidInput(fields={"text": [problem]})
    try:
        reply.clean_fields(exclude=["workspace"])
    except ValidationError as error:
        raise InvalidInput(fields=error.message_dict) from error
    try:
        with transaction.atomic():
            reply.save()
    except IntegrityError as error:  # the only constraint not checked above
        raise InvalidInput(
            fields={"title": [gettext("Another reply has this title. Choose a different one.")]}
        ) from error
    return reply


def delete_reply(reply_id: UUID) -> None:
    _reply(reply_id).delete()


def _reply(reply_id: UUID) -> CannedReply:
    found = CannedReply.objects.filter(pk=reply_id).first()
    if found is None:
        raise NotFound()
    return found
