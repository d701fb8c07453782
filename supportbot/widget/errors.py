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
    """The page that asks is not one of the channel's."""

    code = "origin_refused"
    status = 403
    close_code = 4403
    default_message = "This channel does not allow pages of this origin: add it to the channel's allowed origins."


class TicketRefused(WidgetError):
    code = "ticket_refused"
    status = 401
    close_code = 4401
    default_message = "This ticket is unknown, used or expired: ask for a fresh one."

    def __init__(self) -> None:
        super().__init__(fields={"ticket": [self.default_message]})


class CodeRefused(WidgetError):
    """Unknown, used, expired, of another channel, or its identity has run out: all look the same."""

    code = "code_refused"
    status = 401
    default_message = "This page's code is not good any more: open the chat again from the shop."

    def __init__(self) -> None:
        super().__init__(fields={"code": [self.default_message]})


class TooManyTickets(WidgetError):
    code = "throttled"
    status = 429
    default_message = "You have opened very many chats within a minute: try again in a minute."


class OtherSubject(WidgetError):
    """The conversation is bound to somebody else than the token speaks of."""

    code = "other_subject"
    status = 409
    default_message = "This conversation belongs to another customer: start a new one."

    def __init__(self) -> None:
        super().__init__(fields={"token": [self.default_message]})


class AttachmentsNotSupported(WidgetError):
    code = "attachments_not_supported"
    default_message = "Files cannot be sent yet, and nothing was stored: describe it in words and send that."

    def __init__(self) -> None:
        super().__init__(fields={"attachments": [self.default_message]})


class ConversationErased(WidgetError):
    """The conversation was erased by its customer, or with them."""

    code = "erased"
    status = 404
    close_code: ClassVar[int] = 4401
    default_message = "This conversation has been deleted, as its customer wished."


class Unavailable(WidgetError):
    code = "unavailable"
    status = 503
    close_code = 1013
    default_message = "This cannot be stored right now, and was not: send it again in a moment."


class FrameError(WidgetError):
    """A frame that cannot be understood. `field` names the part of it, `client_id` the message it was to carry."""

    code = "invalid_frame"
    default_message = "This frame cannot be understood."


class FrameTooBig(FrameError):
    code = "frame_too_big"


class UnknownFrame(FrameError):
    code = "unknown_frame"


class OutOfOrder(FrameError):
    code = "out_of_order"
