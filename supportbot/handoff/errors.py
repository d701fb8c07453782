from supportbot.errors import SupportBotError


class HandoffError(SupportBotError):
    code = "handoff_error"


class AlreadyClaimed(HandoffError):
    """Somebody was first; the message names them."""

    code = "already_claimed"
    status = 409

    def __init__(self, owner: str) -> None:
        super().__init__(f"{owner} has already claimed this ticket.")
        self.owner = owner


class TicketEnded(HandoffError):
    code = "ticket_ended"
    status = 409

    def __init__(self, state: str) -> None:
        super().__init__(f"This ticket has ended ({state}): nothing more can be done with it.")


class NotTicketOwner(HandoffError):
    """It is in nobody's hands, or in somebody else's."""

    code = "not_your_ticket"
    status = 409
    default_message = "Nobody has claimed this ticket yet: claim it first."


class QueueEmpty(HandoffError):
    code = "nobody_waits"
    status = 409
    default_message = "Nobody is waiting."


class PersonRequired(HandoffError):
    code = "not_a_person"
    status = 403
    default_message = "This key acts as a service, and only a person may do this: use a key that acts as a person."


class BadFrame(HandoffError):
    """A frame of the desk's socket that cannot be understood."""

    code = "invalid_frame"
    default_message = "This frame cannot be understood."


class NotLoggedIn(HandoffError):
    """Nobody is logged in to the desk with this browser, or not any more."""

    code = "not_logged_in"
    status = 401
    close_code = 4401
    default_message = "Log in to the desk again."


class ActionNotOffered(HandoffError):
    """The workspace has switched the action off, or the ticket's customer cannot be asked for it."""

    code = "not_offered"
    status = 404
    default_message = "This action is not offered here, or not any more."


class WorkspaceChanged(HandoffError):
    """The person works in another workspace now: they have chosen it, or have left the one that the socket is of."""

    code = "other_workspace"
    status = 401
    close_code = 4401
    default_message = "You are in another workspace now: open the desk again."


class OriginRefused(HandoffError):
    """The page that opens the desk's socket is not one of this installation."""

    code = "origin_refused"
    status = 403
    close_code = 4403
    default_message = "The desk's socket opens from this installation's own pages only."


class NothingToAnswer(HandoffError):
    code = "nothing_to_answer"
    status = 409
    default_message = "The customer has not asked anything yet."
