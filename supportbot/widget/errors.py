from typing import ClassVar

from supportbot.errors import SupportBotError


class WidgetError(SupportBotError):
    code = "widget_error"


class UnknownChannel(WidgetError):
    code = "unknown_channel"
    status = 404
    default_message = "There is no live channel with this key."

    def __init__(self) -> None:
        super().__init__(fields={"channel": [self.default_message]})


class OriginRefused(WidgetError):
    """The channel does not allow the requesting page."""

    code = "origin_refused"
    status = 403
    close_code = 4403
    default_message = "This channel does not allow this origin. Add it to the channel's allowed origins."


class TicketRefused(WidgetError):
    code = "ticket_refused"
    status = 401
    close_code = 4401
    default_message = "This ticket is unknown, already used or expired. Request a new one."

    def __init__(self) -> None:
        super().__init__(fields={"ticket": [self.default_message]})


class CodeRefused(WidgetError):
    """The code is unknown, used or expired, belongs to a different channel, or carries an expired identity.

    The caller cannot tell which.
    """

    code = "code_refused"
    status = 401
    default_message = "This link is no longer valid. Open the chat from the shop again."

    def __init__(self) -> None:
        super().__init__(fields={"code": [self.default_message]})


class TooManyTickets(WidgetError):
    code = "throttled"
    status = 429
    default_message = "Too many chats were opened in the last minute. Try again in a minute."


class SubjectMismatch(WidgetError):
    """The conversation belongs to a customer other than the one named in the token."""

    code = "other_subject"
    status = 409
    default_message = "This conversation belongs to another customer. Start a new one."

    def __init__(self) -> None:
        super().__init__(fields={"token": [self.default_message]})


class AttachmentsNotSupported(WidgetError):
    code = "attachments_not_supported"
    default_message = "Files are not supported yet, so the message was not stored. Send it without files."

    def __init__(self) -> None:
        super().__init__(fields={"attachments": [self.default_message]})


class ConversationErased(WidgetError):
    """The conversation was erased, on its own or together with its customer."""

    code = "erased"
    status = 404
    close_code: ClassVar[int] = 4401
    default_message = "This conversation has been deleted at the customer's request."


class Unavailable(WidgetError):
    code = "unavailable"
    status = 503
    close_code = 1013
    default_message = "The database is not available, so nothing was stored. Send it again in a moment."


class FrameError(WidgetError):
    """A frame that cannot be parsed."""

    code = "invalid_frame"
    default_message = "This frame cannot be parsed."


class FrameTooBig(FrameError):
    code = "frame_too_big"


class UnknownFrame(FrameError):
    code = "unknown_frame"


class OutOfOrder(FrameError):
    code = "out_of_order"
