"""The only way to get a ticket on behalf of a caller."""

from uuid import UUID

from supportbot.accounts.models import User
from supportbot.accounts.principals import Caller, CustomerCaller, Staff
from supportbot.errors import NotFound
from supportbot.handoff.errors import PersonRequired
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets.selectors import ticket_queryset


def ticket_for(caller: Caller, ticket_id: UUID) -> Ticket:
    """Return the ticket: a customer's own or, for staff, any in the workspace. Raises NotFound if it does not exist or
    belongs to another customer.
    """
    tickets = ticket_queryset().filter(workspace_id=caller.workspace_id)
    if isinstance(caller, CustomerCaller):
        tickets = tickets.filter(conversation__customer_id=caller.customer_id)
    elif not (caller.may("tickets:read") or caller.may("tickets:write")):  # write access includes reading
        raise NotFound()
    ticket = tickets.filter(pk=ticket_id).first()
    if ticket is None:
        raise NotFound()
    return ticket


def user_of(caller: Staff) -> User:
    """Return the user behind a caller; raises PersonRequired if the caller is a service's API key."""
    if caller.user_id is None:
        raise PersonRequired()
    return User.objects.get(pk=caller.user_id)


def may_use_desk(staff: Staff) -> bool:
    """Return whether a staff member may work at the desk."""
    return staff.may("tickets:read") and staff.may("conversations:read")
