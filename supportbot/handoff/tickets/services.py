"""A person is asked for, takes over, gives back. One call, one transaction; the conversation's lock, then the ticket's.

Every change that the customer should know of is an event in the same transaction. A takeover voids the assistant's open
turns before `handoff.joined` enters the log, so nothing of theirs can follow it.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from supportbot.accounts.models import User
from supportbot.chat.log import append_event, check_open, lock_conversation, ring_desk
from supportbot.chat.models import Conversation
from supportbot.chat.services import add_system_message, give_back, hand_over
from supportbot.chat.turns import supersede_turns
from supportbot.errors import InvalidInput, NotAllowed, NotFound
from supportbot.handoff.errors import AlreadyClaimed, NotTicketOwner, QueueEmpty, TicketEnded
from supportbot.handoff.models import HELD, Reason, Requester, State, Ticket
from supportbot.handoff.tickets.contact_addresses import deliverable, is_deliverable
from supportbot.handoff.tickets.language import customer_language
from supportbot.handoff.tickets.notices import ADDRESS_NOTED, TEAM_AWAY, TEAM_AWAY_WITH_ADDRESS, localized
from supportbot.handoff.tickets.presence import can_answer_customers, is_team_lead, is_team_online, record_presence
from supportbot.handoff.tickets.queue import MAX_SNOOZE
from supportbot.handoff.tickets.selectors import (
    last_volunteered_address,
    next_ticket_ids,
    open_ticket_for,
    queue_position,
)
from supportbot.handoff.tickets.texts import clean_note, clean_summary

_ALLOWED_AFTER_END: Final = (Requester.AGENT, Requester.RULE)


@transaction.atomic
def request(conversation_id: UUID, *, reason: str, by: str, summary: str = "") -> Ticket:
    """Ask for a person; while a ticket is open, that one is returned and nothing happens.

    The customer sees `handoff.requested`, and is told to leave an address when nobody of the team is there. Raises
    InvalidInput for an unknown reason or requester, NotFound, and ConversationEnded: once it has ended, only the team
    and what became of an action bring a person.
    """
    _check_choice("reason", reason, Reason.values)
    _check_choice("by", by, Requester.values)
    conversation = lock_conversation(conversation_id)
    if by not in _ALLOWED_AFTER_END:
        check_open(conversation)
    open_one = open_ticket_for(conversation_id)
    if open_one is not None:
        return open_one
    ticket: Ticket = Ticket.objects.create(
        conversation=conversation,
        reason=reason,
        requested_by=by,
        summary=clean_summary(summary),
        language=customer_language(conversation),
    )
    _enqueue(conversation, ticket)
    return ticket


def _enqueue(conversation: Conversation, ticket: Ticket) -> None:
    hand_over(conversation, mode=Conversation.Mode.WAITING)
    is_anybody_here = is_team_online()
    payload = {"ticket": str(ticket.pk), "reason": str(ticket.reason), "place": queue_position(ticket)}
    append_event(conversation, "handoff.requested", payload | ({} if is_anybody_here else {"away": True}))
    if not is_anybody_here and not ticket.contact_email:
        announce_reply_address(conversation, ticket, known=TEAM_AWAY_WITH_ADDRESS, unknown=TEAM_AWAY)


def announce_reply_address(
    conversation: Conversation, ticket: Ticket, *, known: dict[str, str], unknown: dict[str, str]
) -> None:
    """Tell the customer of a locked ticket where replies go, by the words of `known`, or ask by those of `unknown`.

    Known is what they left themselves, before or in the words that asked for a person, or else the address of their
    signed identity: nothing else sets it.
    """
    of_the_shop = next(iter(deliverable([conversation.customer.email])), "")
    address = ticket.contact_email or last_volunteered_address(conversation) or of_the_shop
    if address and not ticket.contact_email:
        _update(ticket, contact_email=address)
    words = localized(known if address else unknown, conversation.locale)
    add_system_message(conversation, words.format(address=address))


@transaction.atomic
def claim(ticket_id: UUID, *, agent: User) -> Ticket:
    """Take a waiting ticket; the first one wins, and claiming one's own again changes nothing.

    Raises AlreadyClaimed naming who has it, TicketEnded, NotAllowed for one who does not answer customers here.
    """
    if not can_answer_customers(agent):
        raise NotAllowed("Your role does not answer customers in this workspace.")
    ticket = _assign_to(ticket_id, agent)
    record_presence(agent)
    return ticket


def _assign_to(ticket_id: UUID, person: User) -> Ticket:
    conversation, ticket = _lock(ticket_id)
    taken = Ticket.objects.filter(pk=ticket_id, state=State.WAITING).update(
        state=State.CLAIMED, assignee=person, claimed_at=now()
    )
    if not taken:
        return _own(ticket, person)
    _join(conversation, ticket, person)
    ticket.refresh_from_db()
    return ticket


def claim_next(*, agent: User) -> Ticket:
    """Take whoever is to be served next; raises QueueEmpty. What a colleague takes first is passed over."""
    for ticket_id in next_ticket_ids():
        try:
            return claim(ticket_id, agent=agent)
        except (AlreadyClaimed, TicketEnded, NotFound):  # the last: erased meanwhile
            continue
    raise QueueEmpty()


@transaction.atomic
def reopen(ticket_id: UUID, *, agent: User) -> Ticket:
    """Take the conversation of an ended ticket into one's hands again, by a ticket of the same reason and address.

    Nobody waits meanwhile: the customer is told who joined, and not that nobody is there.
    """
    conversation, ended = _lock(ticket_id)
    again = ended if ended.is_open else open_ticket_for(conversation.pk)
    if again is None:
        again = Ticket.objects.create(
            conversation=conversation,
            reason=ended.reason,
            requested_by=Requester.AGENT,
            summary=ended.summary,
            language=customer_language(conversation),
            contact_email=ended.contact_email,
        )
    return claim(again.pk, agent=agent)


def reopen_for_owner(conversation: Conversation, ticket: Ticket) -> None:
    """Put a locked resolved ticket, its locked conversation with it, into its person's hands again."""
    assert ticket.assignee is not None  # nobody's ticket is resolved
    _update(ticket, state=State.CLAIMED, ended_at=None)  # claimed when it was: nobody has waited since
    _join(conversation, ticket, ticket.assignee)


def _own(ticket: Ticket, agent: User) -> Ticket:
    if not ticket.is_open:
        raise TicketEnded(ticket.state)
    if ticket.assignee_id != agent.pk:
        raise AlreadyClaimed(ticket.assignee.display_name if ticket.assignee else "Somebody")
    return ticket


def _join(conversation: Conversation, ticket: Ticket, agent: User) -> None:
    supersede_turns(conversation)
    hand_over(conversation, mode=Conversation.Mode.PERSON, agent=agent)
    joined = {"ticket": str(ticket.pk), "agent": agent.display_name, "person": str(agent.pk)}
    append_event(conversation, "handoff.joined", joined)


@transaction.atomic
def release(ticket_id: UUID, *, agent: User) -> Ticket:
    """Put a claimed ticket back into the queue, where it keeps its age; the customer waits again."""
    conversation, ticket = _lock_held(ticket_id, agent)
    requeue(conversation, ticket)
    return ticket


def requeue(conversation: Conversation, ticket: Ticket) -> None:
    """Let a locked ticket and its locked conversation wait for anybody again."""
    _update(ticket, state=State.WAITING, assignee=None, claimed_at=None, snoozed_at=None, snoozed_until=None)
    _enqueue(conversation, ticket)


@transaction.atomic
def transfer(ticket_id: UUID, *, agent: User, to: User) -> Ticket:
    """Hand a ticket to a colleague; raises InvalidInput for one who does not answer customers."""
    conversation, ticket = _lock_held(ticket_id, agent)
    if not can_answer_customers(to):
        raise InvalidInput(fields={"to": [f"{to.username} does not answer customers in this workspace."]})
    if ticket.assignee_id != to.pk or ticket.state != State.CLAIMED:
        _update(ticket, state=State.CLAIMED, assignee=to, claimed_at=now(), snoozed_at=None, snoozed_until=None)
        _join(conversation, ticket, to)
    return ticket


@transaction.atomic
def assign(ticket_id: UUID, *, agent: User, to: User) -> Ticket:
    """Put a waiting ticket, or one's own, into a colleague's hands; raises as `claim` and `transfer` do."""
    if not can_answer_customers(agent):
        raise NotAllowed("Your role does not answer customers in this workspace.")
    _, ticket = _lock(ticket_id)
    if ticket.state != State.WAITING:
        return transfer(ticket_id, agent=agent, to=to)
    if not can_answer_customers(to):
        raise InvalidInput(fields={"to": [f"{to.username} does not answer customers in this workspace."]})
    return _assign_to(ticket_id, to)


@transaction.atomic
def snooze(ticket_id: UUID, *, agent: User, until: datetime) -> Ticket:
    """Put a ticket aside until a moment, or until the customer writes; it stays with its person."""
    if not now() < until <= now() + MAX_SNOOZE:
        raise InvalidInput(fields={"until": ["Name a moment in the future, within a year from now."]})
    conversation, ticket = _lock_held(ticket_id, agent)
    _update(ticket, state=State.SNOOZED, snoozed_at=now(), snoozed_until=until)
    ring_desk(conversation)  # no event: the customer is told nothing of it
    return ticket


@transaction.atomic
def return_to_assistant(ticket_id: UUID, *, agent: User, note: str = "") -> Ticket:
    """Let the assistant answer what the customer writes next.

    The note is part of what it knows in the new episode; customers never see it.
    """
    note = clean_note(note)
    conversation, ticket = _lock_held(ticket_id, agent)
    end(conversation, ticket, State.RETURNED, note=note)
    return ticket


@transaction.atomic
def resolve(ticket_id: UUID, *, agent: User) -> Ticket:
    """End a ticket as settled; what the customer writes begins anew with the assistant, unless it comes at once.

    See `reopening`.
    """
    conversation, ticket = _lock_held(ticket_id, agent)
    end(conversation, ticket, State.RESOLVED)
    return ticket


def end(conversation: Conversation, ticket: Ticket, outcome: State, *, note: str = "", by: str = "") -> None:
    """End a locked ticket and give its locked conversation back to the assistant, which says nothing by itself.

    `by` is "customer" where it is their wish: else the event reads as if the team had ended it.
    """
    _update(ticket, state=outcome, ended_at=now(), snoozed_at=None, snoozed_until=None)
    payload = {"ticket": str(ticket.pk), "outcome": str(outcome)}
    append_event(conversation, "handoff.ended", payload | ({"by": by} if by else {}))
    give_back(conversation, note=note)


@transaction.atomic
def set_contact_email(ticket_id: UUID, *, email: str) -> Ticket:
    """Note where a customer wants the answer; leaving the same address again changes nothing. Raises TicketEnded."""
    _check_email(email)
    conversation, ticket = _lock(ticket_id)
    if not ticket.is_open:
        raise TicketEnded(ticket.state)
    if ticket.contact_email != email:
        _update(ticket, contact_email=email)
        add_system_message(conversation, localized(ADDRESS_NOTED, conversation.locale).format(address=email))
    return ticket


def _lock(ticket_id: UUID) -> tuple[Conversation, Ticket]:
    conversation_id = Ticket.objects.filter(pk=ticket_id).values_list("conversation_id", flat=True).first()
    if conversation_id is None:
        raise NotFound()
    conversation = lock_conversation(conversation_id)
    return conversation, lock_ticket(ticket_id)


def lock_ticket(ticket_id: UUID) -> Ticket:
    """Return the ticket under its row lock; the caller holds its conversation's."""
    ticket: Ticket = Ticket.objects.select_for_update(no_key=True, of=("self",)).get(pk=ticket_id)
    return ticket


def _lock_held(ticket_id: UUID, agent: User) -> tuple[Conversation, Ticket]:
    """Return both, locked, if the ticket is in this person's hands or the person leads the team."""
    conversation, ticket = _lock(ticket_id)
    if not ticket.is_open:
        raise TicketEnded(ticket.state)
    if ticket.state not in HELD:
        raise NotTicketOwner()
    if ticket.assignee_id != agent.pk and not is_team_lead(agent):
        owner = ticket.assignee.display_name if ticket.assignee else "a colleague"
        raise NotTicketOwner(f"This ticket is in the hands of {owner}.")
    return conversation, ticket


def _update(ticket: Ticket, **changes: object) -> None:
    for field, value in changes.items():
        setattr(ticket, field, value)
    ticket.save(update_fields=list(changes))


def _check_choice(field: str, value: str, known: list[str]) -> None:
    if value not in known:
        raise InvalidInput(fields={field: [f"Choose one of {', '.join(known)}."]})


def _check_email(email: str) -> None:
    if not is_deliverable(email):
        raise InvalidInput(fields={"email": ["This is no e-mail address such as name@example.com."]})
