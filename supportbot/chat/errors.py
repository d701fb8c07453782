from collections.abc import Sequence
from uuid import UUID

from django.utils.translation import gettext, gettext_noop, ngettext

from supportbot.errors import SupportBotError
from supportbot.team_formats import number


class ChatError(SupportBotError):
    code = "chat_error"


class EmptyMessage(ChatError):
    code = "empty_message"
    default_message = gettext_noop("The message is empty. Write something first.")

    def __init__(self) -> None:
        super().__init__(fields={"text": [gettext(self.default_message)]})


class MessageTooLong(ChatError):
    code = "message_too_long"

    def __init__(self, length: int, limit: int) -> None:
        message = gettext("The message has {length} characters. The limit is {limit}.").format(
            length=number(length), limit=number(limit)
        )
        super().__init__(message, fields={"text": [message]})


class UnreadableText(ChatError):
    code = "unreadable_text"
    default_message = gettext_noop(
        "The message contains characters that cannot be stored (NUL or a lone surrogate). Remove them."
    )

    def __init__(self) -> None:
        super().__init__(fields={"text": [gettext(self.default_message)]})


class InvalidClientId(ChatError):
    code = "invalid_client_id"
    default_message = "`client_id` must be 1 to 128 visible ASCII characters."

    def __init__(self) -> None:
        super().__init__(fields={"client_id": [self.default_message]})


class ClientIdReused(ChatError):
    code = "client_id_reused"
    status = 409
    default_message = gettext_noop(
        "This `client_id` was already used for another message. Use a new `client_id` for each message."
    )

    def __init__(self) -> None:
        super().__init__(fields={"client_id": [self.default_message]})


class UnknownBlock(ChatError):
    code = "unknown_block"
    status = 404
    default_message = "This conversation has no such block."

    def __init__(self) -> None:
        super().__init__(fields={"block": [self.default_message]})


class BlockClosed(ChatError):
    """The block has been answered, or the conversation has moved on and its question may no longer apply."""

    code = "block_closed"
    status = 409
    default_message = "This was already answered, or the conversation has moved on. Write a message instead."

    def __init__(self) -> None:
        super().__init__(fields={"block": [self.default_message]})


class UnknownOption(ChatError):
    code = "unknown_option"
    default_message = "This is not one of the options."

    def __init__(self) -> None:
        super().__init__(fields={"option": [self.default_message]})


class InvalidValue(ChatError):
    """A form field is missing, unknown or invalid according to the form's schema.

    In `fields`, its name is `values.<name>`, or `values.<place>.<name>` in an entry. The name `values` alone means that
    the number of entries is invalid.
    """

    code = "invalid_value"

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message, fields={f"values.{name}".rstrip("."): [message]})


class ConversationEnded(ChatError):
    code = "conversation_ended"
    status = 409
    default_message = gettext_noop("This conversation has ended. Start a new one.")


class NotOwner(ChatError):
    code = "not_yours"
    status = 409
    default_message = gettext_noop("Claim this conversation's ticket before you reply.")


class NothingToRetry(ChatError):
    code = "nothing_to_retry"
    status = 409
    default_message = "There is no failed answer with this id to try again."

    def __init__(self) -> None:
        super().__init__(fields={"message": [self.default_message]})


class LeaseLost(ChatError):
    """The turn has a different claim or none, so this runner may no longer write to it."""

    code = "lease_lost"
    status = 409
    default_message = "This turn is no longer yours."


class NotSettled(ChatError):
    """A customer cannot be erased while one of their requests is open, because nobody could then be told the
    outcome.
    """

    code = "not_settled"
    status = 409

    def __init__(self, request_ids: Sequence[UUID]) -> None:
        named = ", ".join(str(one) for one in request_ids[:5])
        message = ngettext(
            "This customer still has an open action request ({named}). Decide or cancel it, or wait until it is "
            "settled.",
            "This customer still has {number} open action requests ({named}). Decide or cancel them, or wait until "
            "they are settled.",
            len(request_ids),
        )
        super().__init__(message.format(number=len(request_ids), named=named))
