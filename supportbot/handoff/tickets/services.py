"""Services that change tickets: requesting, claiming, transferring and ending them.

Each call is one transaction, which locks the conversation first, then the ticket. Each change that the customer should
know about adds an event in the same transaction. A takeover supersedes the assistant's open turns before
`handoff.joined` enters the log, so no text from the assistant can follow it.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext

from supportbot.accounts.business_hours import hours_of
from supportbot.accounts.models import User
from supportbot.chat.customer_language import customer_language
from supportbot.chat.event_log import append_event, check_open, lock_conversation, notify_desk
from supportbot.chat.models import Conversation, ConversationEvent, Message, Source
from supportbot.chat.services import add_system_message, give_back, hand_over
from supportbot.chat.turns import supersede_turns
from supportbot.errors import InvalidInput, NotAllowed, NotFound
from supportbot.handoff.errors import AlreadyClaimed, NotTicketOwner, QueueEmpty, TicketEnded
from supportbot.handoff.models import HELD, Reason, Requester, State, Ticket
from supportbot.handoff.tickets.contact_addresses import deliverable, is_deliverable
from supportbot.handoff.tickets.notices import ADDRESS_NOTED, TEAM_AWAY, TEAM_AWAY_WITH_ADDRESS, TEAM_HOURS
from supportbot.handoff.tickets.presence import can_answer_customers, is_team_lead, is_team_online, record_presence
from supportbot.handoff.tickets.queue_rules import MAX_SNOOZE, since_on_return
from supportbot.handoff.tickets.selectors import (
    last_contact_email,
    last_volunteered_address,
    next_ticket_ids,
    open_ticket_for,
    queue_position,
)
from supportbot.handoff.tickets.text_cleaning import clean_note, clean_summary
from supportbot.outbox.services import announce
from supportbot.translation import text_in

_ALLOWED_AFTER_END: Final = (Requester.AGENT, Requester.RULE)


@transaction.atomic
def request(conversation_id: UUID, *, reason: str, by: str, summary: str = "") -> Ticket:
    """Open a ticket and return it, or return the open one if there is one.

    If a rule opened the existing ticket, `requested_by` changes to whoever asks now, so that the ticket does not end
    when the rule's reason is gone. Nothing else about it changes.

    The customer sees `handoff.requested` and, if the team is offline, is asked for an address. Raises InvalidInput for
    an unknown reason or requester, NotFound, and ConversationEnded: once a conversation has ended, only the team or an
    action's outcome can open a ticket.
    """
    _check_choice("reason", reason, Reason.values)
    _check_choice("by", by, Requester.values)
    conversation = lock_conversation(conversation_id)
    if by not in _ALLOWED_AFTER_END:
        check_open(conversation)
    open_ticket = open_ticket_for(conversation_id)
    if open_ticket is not None:
        if open_ticket.requested_by == Requester.RULE and by != Requester.RULE:
            _update(open_ticket, requested_by=by)
            notify_desk(conversation)
        return open_ticket
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
    is_online = is_team_online()
    payload = {"ticket": str(ticket.pk), "reason": str(ticket.reason), "place": queue_position(ticket)}
    if ticket.language:
        payload["locale"] = ticket.language
    append_event(conversation, "handoff.requested", payload | ({} if is_online else {"away": True}))
    _announce(ticket)
    if ticket.contact_email:
        return
    if not is_online:
        announce_reply_address(conversation, ticket, known=TEAM_AWAY_WITH_ADDRESS, unknown=TEAM_AWAY)
    elif earlier := last_contact_email(conversation):
        _update(ticket, contact_email=last_volunteered_address(conversation) or earlier)


def announce_reply_address(conversation: Conversation, ticket: Ticket, *, known: str, unknown: str) -> None:
    """Tell a ticket's customer where replies go (`known`), or ask for an address (`unknown`).

    Both are messages in the catalogues; the ticket is locked. An address is known if the customer has given one, for
    this ticket or an earlier one of the conversation, or if their signed identity contains one.
    """
    from_identity = next(iter(deliverable([conversation.customer.email])), "")
    given = ticket.contact_email or last_volunteered_address(conversation) or last_contact_email(conversation)
    address = given or from_identity
    if address and not ticket.contact_email:
        _update(ticket, contact_email=address)
    locale = customer_language(conversation)
    text = text_in(locale, known if address else unknown, address=address)
    hours = hours_of(conversation.channel.hours) if conversation.channel else None
    team_hours = text_in(locale, TEAM_HOURS, hours=hours.in_words(locale, conversation.workspace.zone)) if hours else ""
    add_system_message(conversation, f"{text} {team_hours}".strip())


@transaction.atomic
def claim(ticket_id: UUID, *, agent: User) -> Ticket:
    """Claim a waiting ticket for an agent. The first claim wins; if the agent has already claimed it, nothing changes.

    Raises AlreadyClaimed with the owner's name, TicketEnded, or NotAllowed if the agent's role does not answer
    customers.
    """
    if not can_answer_customers(agent):
        raise NotAllowed(gettext("Your role cannot answer customers in this workspace."))
    ticket = _assign_to(ticket_id, agent)
    record_presence(agent)
    return ticket


def _assign_to(ticket_id: UUID, person: User) -> Ticket:
    conversation, ticket = _lock(ticket_id)
    taken = Ticket.objects.filter(pk=ticket_id, state=State.WAITING).update(
        state=State.CLAIMED, assignee=person, claimed_at=now()
    )
    if not taken:
        if not ticket.is_open:
            raise TicketEnded(ticket.state)
        if ticket.assignee_id != person.pk:
            raise AlreadyClaimed(ticket.assignee.display_name if ticket.assignee else "A colleague")
        return ticket
    _join(conversation, ticket, person)
    ticket.refresh_from_db()
    return ticket


def claim_next(*, agent: User) -> Ticket:
    """Claim the next ticket in the queue, skipping any that a colleague claims first; raises QueueEmpty."""
    for ticket_id in next_ticket_ids():
        try:
            return claim(ticket_id, agent=agent)
        except (AlreadyClaimed, TicketEnded, NotFound):  # NotFound: erased in the meantime
            continue
    raise QueueEmpty()


@transaction.atomic
def reopen(ticket_id: UUID, *, agent: User) -> Ticket:
    """Open and claim a new ticket for the conversation of an ended one, with the same reason and address.

    The ticket never waits in the queue, so the customer is told who joined and not that the team is away.
    """
    conversation, ended = _lock(ticket_id)
    ticket = ended if ended.is_open else open_ticket_for(conversation.pk)
    if ticket is None:
        ticket = Ticket.objects.create(
            conversation=conversation,
            reason=ended.reason,
            requested_by=Requester.AGENT,
            summary=ended.summary,
            language=customer_language(conversation),
            contact_email=ended.contact_email,
        )
    return claim(ticket.pk, agent=agent)


@transaction.atomic
def take_over(conversation_id: UUID, *, agent: User) -> Ticket:
    """Claim a conversation that the assistant has, or its waiting ticket, and return the ticket.

    As in `reopen`, a new ticket never waits and gets the address of the last one. Raises AlreadyClaimed, NotFound or
    NotAllowed.
    """
    conversation = lock_conversation(conversation_id)
    ticket = open_ticket_for(conversation.pk)
    if ticket is None:
        ticket = Ticket.objects.create(
            conversation=conversation,
            reason=Reason.OTHER,
            requested_by=Requester.AGENT,
            language=customer_language(conversation),
            contact_email=last_contact_email(conversation),
        )
    return claim(ticket.pk, agent=agent)


def reopen_for_owner(conversation: Conversation, ticket: Ticket) -> None:
    """Give a resolved ticket and its conversation, both locked, back to the agent who resolved the ticket."""
    assert ticket.assignee is not None  # only an assigned ticket can be resolved
    # `claimed_at` is kept, because the customer has not been waiting since
    _update(ticket, state=State.CLAIMED, ended_at=None)
    _join(conversation, ticket, ticket.assignee)


def _join(conversation: Conversation, ticket: Ticket, agent: User) -> None:
    supersede_turns(conversation)
    hand_over(conversation, mode=Conversation.Mode.PERSON, agent=agent)
    joined = {"ticket": str(ticket.pk), "agent": agent.display_name, "person": str(agent.pk)}
    append_event(conversation, "handoff.joined", joined)
    _announce(ticket)


@transaction.atomic
def release(ticket_id: UUID, *, agent: User) -> Ticket:
    """Put a claimed or snoozed ticket back into the queue. `requeue` says how its wait is counted."""
    conversation, ticket = _lock_held(ticket_id, agent)
    requeue(conversation, ticket)
    return ticket


def requeue(conversation: Conversation, ticket: Ticket) -> None:
    """Put a ticket back into the queue; it and its conversation are locked.

    The ticket keeps its wait so far, within the limits of `since_on_return`.
    """
    since = since_on_return(ticket.waiting_since, now(), has_address=bool(ticket.contact_email))
    nobodys = {"assignee": None, "claimed_at": None, "snoozed_at": None, "snoozed_until": None}
    _update(ticket, state=State.WAITING, waiting_since=since, **nobodys)
    _enqueue(conversation, ticket)


@transaction.atomic
def transfer(ticket_id: UUID, *, agent: User, to: User) -> Ticket:
    """Transfer a claimed or snoozed ticket to a colleague; raises InvalidInput if they cannot answer customers."""
    conversation, ticket = _lock_held(ticket_id, agent)
    if not can_answer_customers(to):
        raise InvalidInput(
            fields={
                "to": [gettext("{username} cannot answer customers in this workspace.").format(username=to.username)]
            }
        )
    if ticket.assignee_id != to.pk or ticket.state != State.CLAIMED:
        _update(ticket, state=State.CLAIMED, assignee=to, claimed_at=now(), snoozed_at=None, snoozed_until=None)
        _join(conversation, ticket, to)
    return ticket


@transaction.atomic
def assign(ticket_id: UUID, *, agent: User, to: User) -> Ticket:
    """Assign a waiting ticket, or the caller's own, to a colleague. Raises the errors of `claim` and `transfer`."""
    if not can_answer_customers(agent):
        raise NotAllowed(gettext("Your role cannot answer customers in this workspace."))
    _, ticket = _lock(ticket_id)
    if ticket.state != State.WAITING:
        return transfer(ticket_id, agent=agent, to=to)
    if not can_answer_customers(to):
        raise InvalidInput(
            fields={
                "to": [gettext("{username} cannot answer customers in this workspace.").format(username=to.username)]
            }
        )
    return _assign_to(ticket_id, to)


@transaction.atomic
def snooze(ticket_id: UUID, *, agent: User, until: datetime) -> Ticket:
    """Snooze a ticket until a given time or until the customer writes. It stays with its owner."""
    if not now() < until <= now() + MAX_SNOOZE:
        raise InvalidInput(fields={"until": [gettext("Choose a time in the future, no more than one year from now.")]})
    conversation, ticket = _lock_held(ticket_id, agent)
    _update(ticket, state=State.SNOOZED, snoozed_at=now(), snoozed_until=until)
    notify_desk(conversation)  # no event: the customer does not see snoozing
    return ticket


@transaction.atomic
def return_to_assistant(ticket_id: UUID, *, agent: User, note: str = "") -> Ticket:
    """End a ticket and let the assistant answer the customer's next message.

    The note becomes part of the assistant's context in the new episode; customers never see it.
    """
    note = clean_note(note)
    conversation, ticket = _lock_held(ticket_id, agent)
    end(conversation, ticket, State.RETURNED, note=note)
    return ticket


@transaction.atomic
def resolve(ticket_id: UUID, *, agent: User) -> Ticket:
    """End a ticket as resolved. The assistant answers the customer's next message, unless they write again soon.

    In that case, `customer_messages.reopen_if_recent` may reopen the ticket.
    """
    conversation, ticket = _lock_held(ticket_id, agent)
    end(conversation, ticket, State.RESOLVED)
    return ticket


def end(conversation: Conversation, ticket: Ticket, outcome: State, *, note: str = "", by: str = "") -> None:
    """End a ticket and return its conversation, both locked, to the assistant, which waits for the next message.

    `by` is "customer" if the customer ended it; otherwise, the event reads as if the team had ended it.
    """
    _update(ticket, state=outcome, ended_at=now(), snoozed_at=None, snoozed_until=None)
    payload = {"ticket": str(ticket.pk), "outcome": str(outcome)}
    append_event(conversation, "handoff.ended", payload | ({"by": by} if by else {}))
    _announce(ticket)
    give_back(conversation, note=note)


def end_unread(conversation: Conversation, *, reason: str) -> None:
    """End a ticket that a rule opened for this reason, because the reason is gone; the conversation is locked.

    The ticket stays open if someone has asked for a person since, if an agent has or had it, if the customer was told
    that a reply would come by e-mail, or if the customer has written since, because their message would get no answer.
    """
    found = open_ticket_for(conversation.pk)
    if found is None:
        return
    ticket = lock_ticket(found.pk)
    is_of_rule = (ticket.reason, ticket.requested_by) == (reason, Requester.RULE)
    if is_of_rule and ticket.state == State.WAITING and not _is_expected(conversation, ticket):
        end(conversation, ticket, State.RETURNED)


def _is_expected(conversation: Conversation, ticket: Ticket) -> bool:
    """Return whether a waiting ticket's customer may be expecting a person: they have written, were promised an e-mail,
    or have seen an agent join.
    """
    written = Message.objects.filter(
        conversation=conversation, source=Source.CUSTOMER, created_at__gt=ticket.created_at
    )  # fmt: skip
    joined = ConversationEvent.objects.filter(
        conversation=conversation, event="handoff.joined", payload__ticket=str(ticket.pk)
    )  # fmt: skip
    return bool(ticket.contact_email) or written.exists() or joined.exists()


@transaction.atomic
def set_contact_email(ticket_id: UUID, *, email: str) -> Ticket:
    """Store the address for replies; storing the same address again changes nothing.

    Raises InvalidInput or TicketEnded.
    """
    if not is_deliverable(email):
        raise InvalidInput(fields={"email": [gettext("Enter a valid e-mail address, such as name@example.com.")]})
    conversation, ticket = _lock(ticket_id)
    if not ticket.is_open:
        raise TicketEnded(ticket.state)
    if ticket.contact_email != email:
        _update(ticket, contact_email=email)
        add_system_message(conversation, text_in(customer_language(conversation), ADDRESS_NOTED, address=email))
    return ticket


def _lock(ticket_id: UUID) -> tuple[Conversation, Ticket]:
    conversation_id = Ticket.objects.filter(pk=ticket_id).values_list("conversation_id", flat=True).first()
    if conversation_id is None:
        raise NotFound()
    conversation = lock_conversation(conversation_id)
    return conversation, lock_ticket(ticket_id)


def lock_ticket(ticket_id: UUID) -> Ticket:
    """Lock and return the ticket; the caller has already locked the conversation."""
    ticket: Ticket = Ticket.objects.select_for_update(no_key=True, of=("self",)).get(pk=ticket_id)
    return ticket


def _lock_held(ticket_id: UUID, agent: User) -> tuple[Conversation, Ticket]:
    """Lock and return the conversation and the ticket.

    Raises TicketEnded, or NotTicketOwner unless the agent owns the ticket or is a team lead.
    """
    conversation, ticket = _lock(ticket_id)
    if not ticket.is_open:
        raise TicketEnded(ticket.state)
    if ticket.state not in HELD:
        raise NotTicketOwner()
    if ticket.assignee_id != agent.pk and not is_team_lead(agent):
        owner = ticket.assignee.display_name if ticket.assignee else "a colleague"
        raise NotTicketOwner(gettext("This ticket is assigned to {owner}.").format(owner=owner))
    return conversation, ticket


def _announce(ticket: Ticket) -> None:
    """Announce that this ticket has changed."""
    announce("ticket_changed", ticket.pk, workspace_id=ticket.workspace_pk)


def _update(ticket: Ticket, **changes: object) -> None:
    for field, value in changes.items():
        setattr(ticket, field, value)
    ticket.save(update_fields=list(changes))


def _check_choice(field: str, value: str, known: list[str]) -> None:
    if value not in known:
        raise InvalidInput(fields={field: [gettext("Choose one of {choices}.").format(choices=", ".join(known))]})
