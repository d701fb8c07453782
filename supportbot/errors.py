"""The base of all errors that callers may see. Only this module maps them to HTTP responses and close codes."""

import errno
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, InternalError, OperationalError
from django.http import Http404
from django.utils.translation import gettext, gettext_noop
from psycopg.errors import DiskFull, ReadOnlySqlTransaction

if TYPE_CHECKING:
    from rest_framework.exceptions import APIException
    from rest_framework.response import Response

FieldErrors = dict[str, list[str]]
# DRF's own messages name only the cause.
_MESSAGES = {
    "required": "This field is required. Give it a value.",
    "blank": "This field is empty. Give it a value.",
    "null": "This field is null. Give it a value or leave it out.",
    "not_authenticated": (
        "Authentication is required. Send `Authorization: Bearer` with an API key, an identity token or a visitor's "
        "secret."
    ),
}
_FULL = (errno.ENOSPC, errno.EDQUOT)
MAX_FIELD_NAME: Final = 200
logger = logging.getLogger(__name__)


class SupportBotError(Exception):
    """An expected refusal. `message` is meant for the person who caused it; `fields` says what to correct.

    Texts are in the language that is active where the error is raised: the reader's on the team's pages, English
    elsewhere.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400
    close_code: ClassVar[int | None] = None
    default_message: ClassVar[str] = "The request could not be completed."

    def __init__(self, message: str | None = None, *, fields: FieldErrors | None = None) -> None:
        self.message = message or gettext(self.default_message)
        self.fields = fields or {}
        super().__init__(self.message)


class NotFound(SupportBotError):
    """The object is missing, or this reader may not see it. The two cases deliberately look the same."""

    code = "not_found"
    status = 404
    default_message = gettext_noop("Not found, or you do not have access to it.")


class NotAllowed(SupportBotError):
    code = "not_allowed"
    status = 403
    default_message = gettext_noop("You are not allowed to do this.")


class InvalidInput(SupportBotError):
    code = "invalid"
    status = 400
    default_message = gettext_noop("Some fields are invalid.")


class BodyTooLarge(SupportBotError):
    code = "body_too_large"
    status = 413
    default_message = gettext_noop("The body is larger than 5 MiB and was not read. Send less at a time.")


class Unavailable(SupportBotError):
    """Most likely nothing was stored. However, the connection may have been lost during the commit."""

    code = "unavailable"
    status = 503
    default_message = gettext_noop(
        "The database is not responding. Check in a moment whether this took effect; if not, try again."
    )


class NoSpace(SupportBotError):
    """The server's or the database's disk is full. Nothing was stored."""

    code = "no_space"
    status = 503
    default_message = gettext_noop("The disk is full, so nothing was stored. Free some space, then try again.")


def is_out_of_space(error: BaseException) -> bool:
    """Return whether an error means that the disk of this server or of the database is full."""
    if isinstance(error, OperationalError):
        return isinstance(error.__cause__, DiskFull)
    return isinstance(error, OSError) and error.errno in _FULL


def is_database_away(error: BaseException) -> bool:
    """Return whether the database does not respond or is read-only, as it may be for a while during a failover."""
    is_read_only = isinstance(error, InternalError) and isinstance(error.__cause__, ReadOnlySqlTransaction)
    return is_read_only or isinstance(error, OperationalError | InterfaceError)


def error_body(code: str, message: str, fields: FieldErrors | None = None) -> dict[str, Any]:
    """Return the JSON body that every failed request gets.

    A field's name may be made up by the caller: it is cut, and lone surrogates are replaced, because UTF-8 cannot
    encode them.
    """
    named = {_encodable(name)[:MAX_FIELD_NAME]: list(map(_encodable, texts)) for name, texts in (fields or {}).items()}
    return {"code": code, "message": _encodable(message), "fields": named}


def _encodable(text: object) -> str:
    return str(text).encode(errors="replace").decode()


def exception_handler(error: Exception, context: dict[str, Any]) -> "Response | None":
    """Return the response to an exception in a DRF view.

    For an unexpected one, return None, so that Django responds with 500.
    """
    # Imported here because DRF's views load our authentication classes and therefore the models, which import this
    # module.
    from rest_framework.exceptions import APIException
    from rest_framework.response import Response
    from rest_framework.views import exception_handler as drf_exception_handler

    if isinstance(error, SupportBotError):
        return Response(error_body(error.code, error.message, error.fields), status=error.status)
    if isinstance(error, Http404):
        return Response(error_body(NotFound.code, NotFound.default_message), status=404)
    if isinstance(error, RequestDataTooBig):  # Django would respond with 400
        return Response(error_body(BodyTooLarge.code, BodyTooLarge.default_message), status=BodyTooLarge.status)
    if isinstance(error, PermissionDenied):
        return Response(error_body(NotAllowed.code, NotAllowed.default_message), status=403)
    if is_database_away(error):
        logger.error("%s: the database failed: %s", context["request"].path, error, exc_info=error)
        meaning = NoSpace if is_out_of_space(error) else Unavailable
        refused = Response(error_body(meaning.code, meaning.default_message), status=meaning.status)
        refused._has_been_logged = True  # type: ignore[attr-defined]  # Django's own: it would log a second line
        return refused
    response = drf_exception_handler(error, context)
    if response is not None and isinstance(error, APIException):
        response.data = _body_of(error)
    return response


def _body_of(error: "APIException") -> dict[str, Any]:
    if error.status_code == 400 and isinstance(error.detail, dict | list):
        fields = flatten_field_errors(error.detail)
        return error_body(InvalidInput.code, InvalidInput.default_message, fields)
    code = error.get_codes()
    return error_body(code if isinstance(code, str) else "error", _message_of(error.detail))


def flatten_field_errors(detail: Any, prefix: str = "") -> FieldErrors:
    """Return DRF's nested error detail as {dotted field: messages}.

    `_` contains messages that are not about a field.
    """
    if isinstance(detail, Mapping):
        flat: FieldErrors = {}
        for key, value in detail.items():
            name = "_" if key == "non_field_errors" else str(key)
            flat.update(flatten_field_errors(value, f"{prefix}.{name}" if prefix else name))
        return flat
    if isinstance(detail, list | tuple):
        if any(isinstance(item, Mapping) for item in detail):
            flat = {}
            for position, item in enumerate(detail):
                flat.update(flatten_field_errors(item, f"{prefix}.{position}" if prefix else str(position)))
            return flat
        return {prefix or "_": [_message_of(item) for item in detail]}
    return {prefix or "_": [_message_of(detail)]}


def _message_of(detail: Any) -> str:
    return _MESSAGES.get(getattr(detail, "code", ""), str(detail))
