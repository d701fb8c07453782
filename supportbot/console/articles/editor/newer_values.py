"""The editor's fields that take effect without a new revision: what a colleague has saved there is kept."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext

from kb.models import Audience, Collection
from supportbot.accounts.models import User
from supportbot.console.articles.editor.plan_fields import FIELDS as TIMES
from supportbot.errors import InvalidInput
from supportbot.values_saved_meanwhile import CHANGED_MEANWHILE, SEALED, Texts, as_texts, merge, said_of, seal

REVISED: Final = ("title", "body")  # `based_on` protects these


def sealed(values: Mapping[str, str]) -> str:
    """Return the content of the hidden field for a page that shows these values."""
    return seal(_texts(values, values))


def keep_newer_values(request: HttpRequest, stored: Mapping[str, str]) -> None:
    """Put the stored values into the request where the person has left a field as the page showed it. Raises
    InvalidInput if both the person and someone else have changed a field.
    """
    merged = merge(request.POST.get(SEALED, ""), entered=_texts(request.POST, stored), stored=_texts(stored, stored))
    if merged.kept:
        data = request.POST.copy()
        for name, texts in merged.kept.items():
            data[name] = "".join(texts)
        request.POST = data  # type: ignore[assignment]  # the stubs want the immutable kind
    if merged.disputed:
        named = {name: [said_of(_labelled(name, newer))] for name, newer in merged.disputed.items()}
        raise InvalidInput(gettext(CHANGED_MEANWHILE), fields=named)


def _texts(values: Mapping[str, str], names: Mapping[str, str]) -> dict[str, Texts]:
    return {name: as_texts(values.get(name, "")) for name in names if name not in REVISED}


def _labelled(name: str, texts: Texts) -> Texts:
    """Return the value as the page shows it, instead of an id or a code."""
    value = "".join(texts)
    if name == "audience":
        return [str(Audience(value).label)]
    if name == "collection":
        return [Collection.objects.get(pk=UUID(value)).name]
    if name in TIMES and value:
        return [value.replace("T", " ")]  # as people enter it without a date picker
    if name in ("owner", "reviewer") and value:
        return [User.objects.get(pk=UUID(value)).display_name]
    return texts
