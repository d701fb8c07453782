"""Runs the gates of a release when an article is changed in the console, and audits overrides."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext

from supportbot.accounts.models import Workspace
from supportbot.accounts.principals import Staff
from supportbot.console.request_context import staff
from supportbot.errors import InvalidInput, NotAllowed
from supportbot.evals.articles.article_gates import Failure, Trial, tried
from supportbot.evals.models import Case
from supportbot.releases import ports
from supportbot.releases.errors import GateRefused
from supportbot.releases.models import MAX_REASON
from supportbot.releases.selectors import gates
from supportbot.releases.services import OVERRIDE

MAX_NAMED: Final = 5  # cases named in a message
PUBLISHED_AGAINST_GATES: Final = "article.published_against_gates"
CHANGED_AGAINST_GATES: Final = "article.changed_against_gates"
ARCHIVED_AGAINST_GATES: Final = "article.archived_against_gates"
PLANNED_AGAINST_GATES: Final = "article.planned_against_gates"
# Fields for the reason to override a refusal: for new text, for immediate changes, and for a planned archiving.
OVERRIDE_FIELD: Final = "override"
OVERRIDES: Final = (OVERRIDE_FIELD, "override_change", "override_archive")


class ArticleRefused(GateRefused):
    """A change to an article does not pass the gates."""

    def __init__(self, failures: Sequence[Failure], field: str = OVERRIDE_FIELD) -> None:
        self.failures, self.field = tuple(failures), field  # the field for the reason to override this refusal
        asked = dict.fromkeys(one.question for one in self.failures[:MAX_NAMED])
        quoted = ", ".join(gettext("“{quotation}”").format(quotation=question) for question in asked)
        text = gettext("These questions must be answered correctly, but no longer would be: {questions}")
        super().__init__(text.format(questions=quoted))


@dataclass(frozen=True, slots=True)
class Passed:
    """How a change passed the gates: they accepted it, or a person overrode them with a reason.

    `untried` counts cases that could not be run in time.
    """

    override: str = ""
    played: int = 0
    untried: int = 0


def pass_gates(
    trial: Trial, *, workspace: Workspace, person: Staff, override: str = "", field: str = OVERRIDE_FIELD
) -> Passed:
    """Return the gates' result for a change: they accept it, or the person overrides them. Without gates, every change
    passes. `override` is the text of the form field `field`.

    Raises ArticleRefused, GateMissing if a suite does not exist, or NotAllowed if the person gives a reason but may not
    override the gates.
    """
    if not gates():
        return Passed()
    reason = " ".join(override.split())
    if not reason:
        found = tried(trial, workspace=workspace)
        if found.failures:
            raise ArticleRefused(found.failures, field)
        return Passed(played=found.played, untried=found.untried)
    if not person.may(OVERRIDE):
        raise NotAllowed(gettext("Your role does not allow publishing despite failing gates."))
    if len(reason) > MAX_REASON:
        problem = gettext("Use at most {limit} characters.").format(limit=MAX_REASON)
        raise InvalidInput(fields={field: [problem]})
    return Passed(reason)


def gate_cases(request: HttpRequest, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Map the name of each failed case ("suite: case") to its suite's title and, if the person may change the case, to
    its address. Deleted cases are left out.
    """
    parts = {name: name.partition(": ") for name in names}
    rows = Case.objects.filter(suite__name__in={one for one, _, _ in parts.values()}).select_related("suite")
    known = {(case.suite.name, case.key): case for case in rows.filter(key__in={key for _, _, key in parts.values()})}
    may_change = staff(request).may("evals:write")
    return {
        name: {
            "title": case.suite.title,
            "href": reverse("admin:evals_suite_case", args=[case.suite.pk, key]) if may_change else "",
        }
        for name, (suite, _, key) in parts.items()
        if (case := known.get((suite, key))) is not None
    }


def settle(request: HttpRequest, passed: Passed, article_id: UUID, *, event: str) -> None:
    """Record an overridden refusal in the audit trail, and tell the person how many cases were skipped. Call this in
    the change's transaction.
    """
    if passed.override:
        ports.audit()(event, actor=staff(request).actor, article=str(article_id), override=passed.override)
    if passed.untried:
        text = gettext("Gate cases skipped because time ran out: {number}.")
        messages.warning(request, text.format(number=passed.untried))
