"""Why an action is not proposed, confirmed or approved. Nothing has moved when one of these is raised."""

from supportbot.errors import SupportBotError


class ActionError(SupportBotError):
    code = "action_error"


class UnknownAction(ActionError):
    code = "unknown_action"
    status = 404
    default_message = "There is no such action."


class InvalidArguments(ActionError):
    """The arguments do not fit the action's schema; `fields` names each that must be mended."""

    code = "invalid_arguments"
    status = 400
    default_message = "The arguments do not fit this action."


class KeyReused(ActionError):
    code = "key_reused"
    status = 409
    default_message = "This proposal key already stands for another action or other arguments."


class NotSignedIn(ActionError):
    """The customer has not proven who they are, or did so too long ago."""

    code = "identity_required"
    status = 401
    default_message = "Sign in again: an action needs a fresh proof of who you are."


class NotWaiting(ActionError):
    """Somebody decided first, or the request has reached another state on its way."""

    code = "not_waiting"
    status = 409
    default_message = "This request no longer waits for that."


class Expired(NotWaiting):
    code = "expired"
    default_message = "This request has expired and nothing was done: ask for a fresh one."


class AlreadySent(NotWaiting):
    """The shop may have carried it out: whether it did is being found out, so nobody can say that nothing was done."""

    default_message = "It was sent to the shop already, so it can no longer be withdrawn: its outcome is being checked."


class DigestMismatch(ActionError):
    code = "digest_mismatch"
    status = 409
    default_message = "What was confirmed is not what this request says: load it again and decide again."


class NotApprover(ActionError):
    code = "not_allowed"
    status = 403
    default_message = "You may not decide about this action."


class OwnRequest(NotApprover):
    code = "own_request"
    default_message = "You may not decide about a request that you asked for or confirmed, or that concerns yourself."


class MerchantUnavailable(ActionError):
    """The merchant's system could not be asked: nothing was decided, try again."""

    code = "merchant_unavailable"
    status = 503
    default_message = "The shop's system does not answer at the moment, so nothing was changed. Please try again."


class NotConnected(ActionError):
    code = "not_connected"
    status = 503
    default_message = "No shop system is connected to this workspace."


class SwitchedOff(ActionError):
    code = "action_disabled"
    status = 409
    default_message = "This action is switched off at the moment."


class ReadRefused(ActionError):
    """A look-up that is not answered; `reason_code` says why, the message says it to the customer."""

    code = "refused"
    status = 409

    def __init__(self, reason_code: str, message: str) -> None:
        super().__init__(message)
        self.reason_code = reason_code
