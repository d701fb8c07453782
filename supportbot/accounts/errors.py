from django.utils.translation import gettext_noop

from supportbot.errors import SupportBotError


class AccountsError(SupportBotError):
    code = "account_error"


class UnscopedQuery(RuntimeError):
    """Tenant rows were queried without a workspace. This is a programming error that users never see."""


class InvalidToken(AccountsError):
    """The identity token is not valid. The message names the cause and contains no secret."""

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
    default_message = gettext_noop("This name is already taken.")


class ConfirmOnHostedPage(AccountsError):
    """The channel accepts confirmations only on the hosted chat page."""

    code = "confirm_on_hosted_page"
    status = 403
    default_message = "This can only be confirmed on the hosted chat page. Open it there and press the button again."


class IdentityExpired(AccountsError):
    code = "identity_expired"
    status = 401
    default_message = (
        "Your sign-in has expired and nothing was done. Sign in again (`identify` with a fresh token), then confirm "
        "again."
    )


class InvalidSetupLink(AccountsError):
    """The link for creating the first administrator is unknown, used, replaced or expired."""

    code = "invalid_setup_link"
    status = 404
    default_message = gettext_noop("This link does not work")


class AlreadySetUp(AccountsError):
    """This installation already has an administrator."""

    code = "already_set_up"
    status = 409
    default_message = gettext_noop("This installation already has an administrator. Ask them for an invitation.")
