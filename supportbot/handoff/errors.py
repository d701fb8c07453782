from django.utils.translation import gettext, gettext_noop

from supportbot.errors import SupportBotError


class HandoffError(SupportBotError):
    code = "handoff_error"


class AlreadyClaimed(HandoffError):
    """A colleague claimed the ticket first; the message names them."""

    code = "already_claimed"
    status = 409

    def __init__(self, owner: str) -> None:
        super().__init__(gettext("{name} has already claimed this ticket.").format(name=owner))
        self.owner = owner


class TicketEnded(HandoffError):
    code = "ticket_ended"
    status = 409

    def __init__(self, state: str) -> None:
        super().__init__(gettext("This ticket has ended and can no longer be changed."))


class NotTicketOwner(HandoffError):
    """The ticket is unassigned or assigned to someone else."""

    code = "not_your_ticket"
    status = 409
    default_message = gettext_noop("This ticket is unassigned. Claim it first.")


class QueueEmpty(HandoffError):
    code = "nobody_waits"
    status = 409
    default_message = gettext_noop("The queue is empty.")


class PersonRequired(HandoffError):
    code = "not_a_person"
    status = 403
    default_message = gettext_noop(
        "Only a person can do this, but this API key acts as a service. Use a key that acts as a person."
    )


class BadFrame(HandoffError):
    """A frame of the desk's socket that does not follow the protocol."""

    code = "invalid_frame"
    default_message = gettext_noop("Invalid frame.")


class NotLoggedIn(HandoffError):
    """The browser has no valid desk login."""

    code = "not_logged_in"
    status = 401
    close_code = 4401
    default_message = gettext_noop("Your session has ended. Log in to the desk again.")


class ActionNotOffered(HandoffError):
    """The workspace has switched the action off, or the ticket's customer has no way to confirm it."""

    code = "not_offered"
    status = 404
    default_message = gettext_noop("This action is not available here.")


class WorkspaceChanged(HandoffError):
    """The user has switched to another workspace or has left the socket's workspace."""

    code = "other_workspace"
    status = 401
    close_code = 4401
    default_message = gettext_noop("You switched to another workspace. Reload the desk.")


class OriginRefused(HandoffError):
    """The page that opens the desk's socket does not belong to this installation."""

    code = "origin_refused"
    status = 403
    close_code = 4403
    default_message = gettext_noop("The desk's socket can only be opened from this installation's own pages.")


class NothingToAnswer(HandoffError):
    code = "nothing_to_answer"
    status = 409
    default_message = gettext_noop("The customer has not asked anything yet.")
