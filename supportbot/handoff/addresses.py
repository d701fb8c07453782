"""The address that a customer writes into the chat, once they were asked for one: nobody is there, or it takes long.

Only a message that is little more than an address, or says that it is theirs, leaves one: mail to whoever is mentioned
would carry a customer's answer to a stranger.
"""

import re
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

from supportbot.chat.models import Conversation, ConversationEvent, Message
from supportbot.chat.services import add_system_message
from supportbot.handoff.models import State, Ticket
from supportbot.handoff.notices import NO_ADDRESS, ONE_ADDRESS, worded
from supportbot.handoff.selectors import open_ticket_of
from supportbot.handoff.services import MAX_EMAIL_CHARACTERS, leave_address

_APART: Final = r"\s<>()\[\],;:\""
_LIKE_AN_ADDRESS: Final = re.compile(rf"(?<![^{_APART}])(?P<address>[^{_APART}@]{{1,400}}@[^{_APART}]{{1,255}})")
_AROUND: Final = ".!?…/*_`'’‘“”„"
_OWN: Final = re.compile(
    r"\b(?:my|mine|me|here is|use|mein\w*|mich|mir|hier ist|nehmen sie)\b", re.IGNORECASE
)  # "My address is", "write to me at"
# "Not old@example.com", "instead of the old one old@example.com": what it is not.
_DENIED: Final = re.compile(
    r"\b(?:not|nicht|instead of|statt|anstatt)\s+(?:(?:the|to|my|old|mehr|an|alte\w*)\s+){0,3}$", re.I
)
_FEW_WORDS: Final = 3  # beside the address: "It is ..., thanks."
_is_address: Final = EmailValidator(allowlist=[])


def note_address(conversation: Conversation, seq: int) -> None:
    """Leave the address of the message at `seq` with the ticket that waits; the conversation is locked.

    The same address again changes nothing, another one replaces it. What only looks like one, and which of several is
    meant, is asked.
    """
    ticket = open_ticket_of(conversation.pk)
    if ticket is None or not _was_asked(ticket):
        return
    text = Message.objects.values_list("text", flat=True).get(conversation=conversation, seq=seq)
    found = addresses_in(text)
    if not found or not _leaves_one(text):
        return
    usable = [address for address in found if _can_be_written_to(address)]
    if len(usable) == 1:
        leave_address(ticket.pk, email=usable[0])
    elif usable or not ticket.contact_email:
        add_system_message(conversation, worded(ONE_ADDRESS if usable else NO_ADDRESS, conversation.locale))


def addresses_in(text: str) -> list[str]:
    """Return what looks like an e-mail address in a text, each once, but for those it says it is not."""
    matches = [match for match in _LIKE_AN_ADDRESS.finditer(text) if not _DENIED.search(text[: match.start()])]
    return list(dict.fromkeys(match["address"].strip(_AROUND) for match in matches))


def _leaves_one(text: str) -> bool:
    beside = _LIKE_AN_ADDRESS.sub(" ", text)
    return len(re.findall(r"\w+", beside)) <= _FEW_WORDS or _OWN.search(beside) is not None


def _was_asked(ticket: Ticket) -> bool:
    """Say whether the customer was asked, whoever has come or gone since."""
    if ticket.state != State.WAITING:
        return False
    asked = {"event": "handoff.requested", "payload__ticket": str(ticket.pk), "payload__away": True}
    return ticket.escalated_at is not None or bool(
        ConversationEvent.objects.filter(conversation_id=ticket.conversation_id, **asked).exists()
    )


def _can_be_written_to(address: str) -> bool:
    try:
        _is_address(address)
    except ValidationError:
        return False
    return len(address) <= MAX_EMAIL_CHARACTERS
