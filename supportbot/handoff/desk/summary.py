"""A summary of a conversation: what the customer asked, the actions taken, and what is still open.

It is built from stored records, without a model.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import Q, QuerySet
from django.utils.translation import gettext, gettext_noop, ngettext

from actions.cards import card_of
from actions.models import ActionRequest
from actions.states import State as ActionState
from supportbot.builtin.intents import courtesy, wants_person
from supportbot.chat.models import Audience, Citation, ConversationEvent, Message, Source
from supportbot.handoff.desk.ticket_reasons import reason_label
from supportbot.handoff.models import Ticket
from supportbot.language.follow_ups import asks_something, content_words
from supportbot.team_formats import active_language, labelled, listed

MAX_CHARACTERS: Final = 280  # the limit on each of the two messages
MAX_MESSAGES_READ: Final = 30
MAX_NAMES: Final = 3
# Other short messages, such as "It does not work" and "Are you there?", do need a reply.
_NEEDS_NO_REPLY: Final = ("greeting", "thanks", "farewell", "acknowledgement")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?…])\s+")
_ENDS: Final = ".!?…:。！？؟۔।"
_CLOSING: Final = "\"'”’»)]」』"
_DONE_LABELS: Final = {
    ActionState.SUCCEEDED: gettext_noop("done"),
    ActionState.FAILED: gettext_noop("tried, not done"),
    ActionState.REJECTED: gettext_noop("rejected by a colleague"),
    ActionState.CANCELLED: gettext_noop("withdrawn"),
    ActionState.EXPIRED: gettext_noop("expired"),
    ActionState.REFUSED: gettext_noop("not allowed by the rules"),
}
_OPEN_LABELS: Final = {
    ActionState.AWAITING_CONFIRMATION: gettext_noop("waiting for the customer to confirm"),
    ActionState.AWAITING_APPROVAL: gettext_noop("waiting for a colleague's approval; nothing has run yet"),
    ActionState.QUEUED: gettext_noop("about to run"),
    ActionState.EXECUTING: gettext_noop("under way"),
    ActionState.UNKNOWN: gettext_noop("outcome not known yet"),
}


@dataclass(frozen=True, slots=True)
class Summary:
    wants: str
    done: str
    open: str


def build_summary(ticket: Ticket) -> Summary:
    """Return the current summary of a ticket's conversation."""
    requests = _requests(ticket)
    done = [*_sentences(requests, _DONE_LABELS), *_answered_from(ticket), *_replied(ticket)]
    open_items = [*_sentences(requests, _OPEN_LABELS), *_unanswered(ticket)]
    if ticket.is_open and not open_items:
        open_items = [reason_label(ticket)]
    return Summary(
        wants=_wants(ticket) or gettext("No messages yet"),
        done=" ".join(done) or (gettext("Nothing yet.") if ticket.is_open else gettext("Nothing.")),
        open=" ".join(open_items) or gettext("Nothing."),
    )


def _requests(ticket: Ticket) -> list[ActionRequest]:
    """Return the requests with a step in an ended ticket's episode. For an open ticket, return all requests of its
    conversation, because an earlier one may still concern the agent.
    """
    requests = ActionRequest.objects.filter(conversation_id=ticket.conversation_id).order_by("id")
    if ticket.ended_at is not None:
        steps = ConversationEvent.objects.filter(_episode(ticket), event__startswith="action.")
        requests = requests.filter(pk__in=set(steps.values_list("payload__request", flat=True)))
    return list(requests)


def _sentences(requests: Sequence[ActionRequest], labels: dict[ActionState, str]) -> list[str]:
    return [
        labelled(card_of(request, active_language()).title, gettext(labels[ActionState(request.state)])) + "."
        for request in requests
        if request.state in labels
    ]


def _answered_from(ticket: Ticket) -> list[str]:
    titles = Citation.objects.filter(message__in=_messages(ticket, Source.ASSISTANT)).order_by("title")
    found = list(titles.values_list("title", flat=True).distinct()[:MAX_NAMES])
    return [gettext("Answered from {titles}.").format(titles=listed(found))] if found else []


def _replied(ticket: Ticket) -> list[str]:
    replies = _messages(ticket, Source.AGENT).filter(audience=Audience.EVERYONE).order_by("seq")
    names = list(dict.fromkeys(replies.values_list("author_name", flat=True)))[:MAX_NAMES]
    return [gettext("Replies by {names}.").format(names=listed(names))] if names else []


def _unanswered(ticket: Ticket) -> list[str]:
    waiting = _count_unanswered(ticket)
    if not waiting:
        return []
    text = ngettext(
        "The customer's last message is unanswered.", "The customer's last {number} messages are unanswered.", waiting
    )
    return [text.format(number=waiting)]


def _count_unanswered(ticket: Ticket) -> int:
    """Count the customer's last messages in the ticket's episode that need a reply and have none."""
    answered = ticket.conversation.answered_seq if ticket.is_open else _last_reply_seq(ticket)
    later = _messages(ticket, Source.CUSTOMER).filter(seq__gt=answered).order_by("seq").values_list("text", flat=True)
    return sum(courtesy(text) not in _NEEDS_NO_REPLY for text in later[:MAX_MESSAGES_READ])


def _last_reply_seq(ticket: Ticket) -> int:
    """Return the number of the last reply in an ended ticket's episode; 0 if there is none. The conversation's
    `answered_seq` does not help: when a ticket ends, all messages count as answered, so that the assistant does not
    answer them.
    """
    replies = _messages(ticket, Source.AGENT, Source.ASSISTANT).filter(audience=Audience.EVERYONE)
    return _last_seq(replies)


def _wants(ticket: Ticket) -> str:
    """Return what the customer wanted first in the ticket's episode, and what they want now. Courtesies are left
    out, and so is the request for a person, which the ticket already shows.
    """
    texts = [text for text in (ticket.summary, *_customer_texts(ticket, "seq")) if text.strip()]
    first = next(filter(None, map(_topic_of, texts)), "")
    if not first:
        return texts[0][:MAX_CHARACTERS] if texts else ""
    newest = filter(None, map(_topic_of, _customer_texts(ticket, "-seq")))
    last = next(filter(_says_something, newest), first)
    is_cut = len(first) > MAX_CHARACTERS
    first, last = first[:MAX_CHARACTERS], last[:MAX_CHARACTERS]
    if last in first:
        return first
    if first in last:
        return last
    ended = f"{first.rstrip()}…" if is_cut else _with_full_stop(first)
    return gettext("{first} Then: {last}").format(first=ended, last=last)


def _with_full_stop(text: str) -> str:
    """Return the text as a complete sentence, since another one follows; most customers leave out the full stop."""
    bare = text.rstrip(" ,;–-")
    end = bare.rstrip(_CLOSING)[-1:]
    if not end or end in _ENDS:
        return bare or text
    return bare + ("。" if unicodedata.name(end, "").startswith(("CJK", "HIRAGANA", "KATAKANA")) else ".")


def _topic_of(text: str) -> str:
    """Return the text without the request for a person; "" for a courtesy."""
    rest = _without_handoff_request(text)
    return "" if courtesy(rest) else rest


def _says_something(text: str) -> bool:
    """Return whether a message makes sense on its own, unlike an answer to a question, such as "yes" or "A-1042"."""
    return asks_something(text) or len(content_words(text)) > 1


def _without_handoff_request(text: str) -> str:
    """Return the text without sentences that ask for a person."""
    return " ".join(part for part in _SENTENCE_END.split(text.strip()) if not wants_person(part))


def _customer_texts(ticket: Ticket, order: str) -> list[str]:
    return list(_messages(ticket, Source.CUSTOMER).order_by(order).values_list("text", flat=True)[:MAX_MESSAGES_READ])


def _messages(ticket: Ticket, *sources: Source) -> QuerySet[Message]:
    """Return the messages from `sources` in the ticket's episode."""
    return Message.objects.filter(_episode(ticket), source__in=sources)


def _episode(ticket: Ticket) -> Q:
    """Return the condition for messages and events of the ticket's episode.

    A conversation stores only its current episode. The episode of an ended ticket lies between the end of the previous
    ticket and its own end. Both are found by their numbers, because several events may have the same time.
    """
    conversation = ticket.conversation
    if ticket.ended_at is None:
        return Q(conversation=conversation, seq__gt=conversation.episode_start_seq)
    ends = ConversationEvent.objects.filter(conversation=conversation, event="handoff.ended")
    ended_seq = _last_seq(ends.filter(payload__ticket=str(ticket.pk))) or conversation.last_seq
    began_seq = _last_seq(ends.filter(seq__lt=ended_seq).exclude(payload__ticket=str(ticket.pk)))
    return Q(conversation=conversation, seq__gt=began_seq, seq__lte=ended_seq)


def _last_seq(rows: QuerySet[Message] | QuerySet[ConversationEvent]) -> int:
    """Return the highest number of these rows; 0 if there are none."""
    return rows.order_by("-seq").values_list("seq", flat=True).first() or 0
