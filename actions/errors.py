"""Errors that prevent proposing, confirming or approving an action. When one is raised, no money has moved."""

from uuid import UUID

from django.utils.translation import gettext_noop

from supportbot.errors import SupportBotError


class ActionError(SupportBotError):
    code = "action_error"


class UnknownAction(ActionError):
    code = "unknown_action"
    status = 404
    default_message = gettext_noop("This action does not exist.")


class OutdatedAction(ActionError):
    """An action in the catalogue defines a method under its former name; the message names both."""

    code = "outdated_action"
    status = 500


class InvalidArguments(ActionError):
    """The arguments do not fit the action's schema; `fields` names each invalid one."""

    code = "invalid_arguments"
    status = 400
    default_message = gettext_noop("The arguments are invalid for this action.")


class KeyReused(ActionError):
    code = "key_reused"
    status = 409
    default_message = gettext_noop("This proposal key was already used for a different action or different arguments.")


class NotSignedIn(ActionError):
    """The customer has not proven their identity, or did so too long ago."""

    code = "identity_required"
    status = 401
    default_message = gettext_noop("Please sign in again. Actions need a recent proof of identity.")


class NotWaiting(ActionError):
    """The request is no longer waiting: someone else decided first, or it has moved to another state."""

    code = "not_waiting"
    status = 409
    default_message = gettext_noop("This request is no longer waiting for this decision.")


class Expired(NotWaiting):
    code = "expired"
    default_message = gettext_noop("This request has expired and nothing was done. Please ask again.")


class AlreadySent(NotWaiting):
    """The shop may have carried out the request. This is still being checked, so it cannot be reported as not done."""

    default_message = gettext_noop(
        "This has already been sent and can no longer be withdrawn. We are checking its outcome."
    )


class AlreadyConfirmed(NotWaiting):
    """The card that the customer wants to correct is already confirmed, so a new card would repeat the action.
    `request_id` is the confirmed request.
    """

    code = "already_confirmed"
    default_message = gettext_noop("You have already confirmed the earlier card, so no new one was prepared.")

    def __init__(self, request_id: UUID) -> None:
        super().__init__()
        self.request_id = request_id


class DigestMismatch(ActionError):
    code = "digest_mismatch"
    status = 409
    default_message = gettext_noop("This request has changed since it was shown. Reload it and decide again.")


class NotApprover(ActionError):
    code = "not_allowed"
    status = 403
    default_message = gettext_noop("You are not allowed to decide on this action.")


class OwnRequest(NotApprover):
    code = "own_request"
    default_message = gettext_noop("You cannot decide on a request that you made or confirmed, or that is about you.")


class NeedsAnotherPerson(NotApprover):
    """Two people have to approve the request, and this person has already done so."""

    code = "second_person"
    default_message = gettext_noop("You have already approved this. Someone else has to approve it too.")


class MerchantUnavailable(ActionError):
    """The merchant's system could not be reached, so nothing was decided; the caller may try again."""

    code = "merchant_unavailable"
    status = 503
    default_message = gettext_noop("Our system is not responding, so nothing was changed. Please try again.")


class NotConnected(ActionError):
    code = "not_connected"
    status = 503
    default_message = gettext_noop("No system is connected to this workspace.")


class SwitchedOff(ActionError):
    code = "action_disabled"
    status = 409
    default_message = gettext_noop("This action is currently switched off.")


class CannotUndo(ActionError):
    """This request cannot be undone: it was not carried out, its undo window has closed, or it has already been
    undone.
    """

    code = "cannot_undo"
    status = 409
    default_message = gettext_noop("This can no longer be undone.")


class ReadRefused(ActionError):
    """A look-up was refused; `reason_code` says why, and the message explains it to the customer."""

    code = "refused"
    status = 409

    def __init__(self, reason_code: str, message: str) -> None:
        super().__init__(message)
        self.reason_code = reason_code
