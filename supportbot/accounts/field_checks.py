"""Checks of fields, used by several services of accounts."""

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext

from supportbot.accounts.branding import LOCALE
from supportbot.errors import InvalidInput
from supportbot.language.detection import is_language


def is_language_code(locale: str) -> bool:
    """Return whether `locale` has the form of a language code and its language exists."""
    return bool(LOCALE.fullmatch(locale)) and is_language(locale)


def check_locale(locale: str) -> None:
    """Raise InvalidInput unless `locale` is the code of a language."""
    if not is_language_code(locale):
        raise InvalidInput(fields={"locale": [gettext("Use a language code such as en, de or pt-br.")]})


def check_fields(row: Model) -> None:
    """Raise InvalidInput if a value does not fit its column, before the database refuses it."""
    try:
        row.clean_fields()
    except ValidationError as error:
        raise InvalidInput(fields=error.message_dict) from error
