"""The address that a customer writes into the chat, once they were asked for one: nobody is there, or it takes long."""

import re
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from supportbot.chat.models import Conversation, Message
from supportbot.chat.services import add_system_message
from supportbot.handoff.models import State, Ticket
from supportbot.handoff.notices import NO_ADDRESS, worded
from supportbot.handoff.presence import is_somebody_here
from supportbot.handoff.selectors import open_ticket_of
from supportbot.handoff.services import MAX_EMAIL_CHARACTERS, leave_address

_APART: Final = r"\s<>()\[\],;:\""
_LIKE_AN_ADDRESS: Final = re.compile(rf"(?<![^{_APART}])(?P<address>[^{_APART}@]{{1,400}}@[^{_APART}]{{1,255}})")
_AROUND: Final = ".!?…/*_`'’‘“”„"
# "Not old@example.com": what it is not.
_DENIED: Final = re.compile(r"\b(?:not|nicht|instead of|statt)\s+$", re.IGNORECASE)


def note_address(conversation: Conversation, seq: int) -> None:
    """Leave the address of the message at `seq` with the ticket that waits; the conversation is locked.

    The same address again changes nothing, another one replaces it; what only looks like one is asked for again.
    """
    ticket = open_ticket_of(conversation.pk)
    if ticket is None or not _was_asked(ticket):
        return
    text = Message.objects.values_list("text", flat=True).get(conversation=conversation, seq=seq)
    address = address_in(text)
    if address:
        leave_address(ticket.pk, email=address)
    elif address is not None and not ticket.contact_email:
        add_system_message(conversation, worded(NO_ADDRESS, conversation.locale))


def address_in(text: str) -> str | None:
    """Return the last e-mail address of a text, "" if what looks like one is none, None if nothing does."""
    matches = [match for match in _LIKE_AN_ADDRESS.finditer(text) if not _DENIED.search(text[: match.start()])]
    found = [match["address"].strip(_AROUND) for match in matches]
    return next((address for address in reversed(found) if _is_address(address)), "") if found else None


def _was_asked(ticket: Ticket) -> bool:
    return ticket.state == State.WAITING and (ticket.escalated_at is not None or not is_somebody_here())


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= MAX_EMAIL_CHARACTERS
