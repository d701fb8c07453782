"""Three fields of the editor (owner, reviewer and the day of the next check), and how the list shows them."""

from datetime import date
from typing import Final
from uuid import UUID

from django.http import HttpRequest
from django.utils.timezone import localdate
from django.utils.translation import gettext

from kb.models import Article
from kb.reviews import ReviewSettings, is_stale, writers
from supportbot import team_formats as formats
from supportbot.accounts.models import User
from supportbot.errors import InvalidInput

FIELDS: Final = ("owner", "reviewer", "check_by")


def wanted(request: HttpRequest) -> ReviewSettings | None:
    """Return the values in the form, or None if it lacks the fields. Raises InvalidInput."""
    if "check_by" not in request.POST:
        return None
    return ReviewSettings(_person(request, "owner"), _person(request, "reviewer"), _day(request))


def values_of(article: Article) -> dict[str, str]:
    """Return the values for the form's fields."""
    return {
        "owner": str(article.owner_id or ""),
        "reviewer": str(article.reviewer_id or ""),
        "check_by": article.check_by.isoformat() if article.check_by else "",
    }


def shown_care(article: Article) -> list[tuple[str, str]]:
    """Return a tag for each thing that needs attention."""
    shown = []
    if article.reviewer is not None:
        shown.append(("accent", gettext("Review: {name}").format(name=article.reviewer.display_name)))
    if is_stale(article) and article.check_by:
        is_this_year = article.check_by.year == localdate().year
        day = formats.day(article.check_by, with_year=not is_this_year)
        shown.append(("warn", gettext("Due for review since {day}").format(day=day)))
    return shown


def _person(request: HttpRequest, field: str) -> User | None:
    text = request.POST.get(field, "")
    if not text:
        return None
    try:
        found = writers().filter(pk=UUID(text)).first()
    except ValueError:
        found = None
    if found is None:
        raise InvalidInput(fields={field: [gettext("Choose a person who may write articles.")]})
    return found


def _day(request: HttpRequest) -> date | None:
    text = request.POST.get("check_by", "").strip()
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(fields={"check_by": [gettext("Enter a date, such as 2027-01-31.")]}) from error
