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


class NotYourTicket(HandoffError):
    """It is in nobody's hands, or in somebody else's."""

    code = "not_your_ticket"
    status = 409
    default_message = "Nobody has claimed this ticket yet: claim it first."


class NotAPerson(HandoffError):
    code = "not_a_person"
    status = 403
    default_message = "This key acts as a service, and only a person may do this: use a key that acts as a person."
