"""The gate cases that checks of published articles found broken, and which of them are still broken."""

from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext

from supportbot.errors import InvalidInput, NotFound
from supportbot.evals.articles.earlier_articles import Facts
from supportbot.evals.models import ArticleCheck

MOST_LOOKED_AT: Final = 500  # earlier checks to look through
MAX_REASON: Final = 300
DONE: Final = ArticleCheck.State.DONE


def checks() -> QuerySet[ArticleCheck]:
    """Return the workspace's checks, newest first."""
    rows: QuerySet[ArticleCheck] = ArticleCheck.objects.order_by("-created_at", "-id")
    return rows


def broken_now() -> list[tuple[ArticleCheck, dict[str, Any]]]:
    """Return the cases broken by a change, newest first, except those that a later check found fixed or that someone
    dismissed.
    """
    found: dict[str, tuple[ArticleCheck, dict[str, Any]]] = {}
    rows = ArticleCheck.objects.filter(state=DONE).exclude(failures=[], mended=[])
    for check in rows.defer("seen", "former").order_by("finished_at", "id"):
        for name in check.mended:
            found.pop(name, None)
        found |= {one["case"]: (check, one) for one in check.failures if not one.get("dismissed")}
    return list(reversed(found.values()))


@transaction.atomic
def dismiss_broken(case: str, *, reason: str, by: str) -> None:
    """Remove a case from the list of broken cases, because its current answer is right. Raises NotFound,
    InvalidInput.
    """
    if not (why := " ".join(reason.split())[:MAX_REASON]):
        raise InvalidInput(fields={"reason": [gettext("Explain briefly why nothing needs to be done.")]})
    found = next((check for check, failure in broken_now() if failure["case"] == case), None)
    if found is None:
        raise NotFound()
    check = ArticleCheck.objects.select_for_update(no_key=True).get(pk=found.pk)
    mark = {"dismissed": {"reason": why, "by": by}}
    check.failures = [one | mark if one["case"] == case else one for one in check.failures]
    check.save(update_fields=["failures"])


def seen_last(check: ArticleCheck) -> dict[str, Facts]:
    """Return the facts about a check's articles, by id, as seen by the last check that tried them."""
    found: dict[str, Facts] = {}
    wanted = set(map(str, check.articles))
    earlier = checks().filter(state=DONE, articles__overlap=check.articles).exclude(seen={})
    for seen in earlier.exclude(pk=check.pk).values_list("seen", flat=True)[:MOST_LOOKED_AT]:
        found = {pk: facts for pk, facts in seen.items() if pk in wanted} | found
        if len(found) == len(wanted):
            break
    return found
