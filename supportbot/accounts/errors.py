from supportbot.errors import SupportBotError


class AccountsError(SupportBotError):
    code = "account_error"


class UnscopedQuery(RuntimeError):
    """A tenant's rows were asked for without saying whose: a programming error, never an answer to a user."""


class InvalidToken(AccountsError):
    """The identity token proves nothing. The message names the cause; it holds no secret."""

    code = "invalid_token"
    status = 401
    close_code = 4401
    default_message = "The identity token is not valid."


class InvalidKey(AccountsError):
    code = "invalid_key"
    status = 401
    default_message = "This API key is unknown, expired or revoked."


class InvalidVisitor(AccountsError):
    code = "invalid_visitor"
    status = 401
    default_message = "This visitor secret is unknown."


class NoSuchKey(AccountsError):
    code = "no_such_key"
    status = 404


class NameTaken(AccountsError):
    code = "name_taken"
    status = 409
    default_message = "This name is already taken."


class ConfirmOnHostedPage(AccountsError):
    """The channel takes confirmations on our own chat page only."""

    code = "confirm_on_hosted_page"
    status = 403
    default_message = "This is confirmed on the chat's own page, not here: open it there and press the button again."


class IdentityExpired(AccountsError):
    code = "identity_expired"
    status = 401
    default_message = (
        "Your sign-in has run out, and nothing was done: sign in again (`identify` with a fresh token), "
        "then confirm once more."
    )
