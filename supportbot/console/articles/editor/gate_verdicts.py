"""The gates' verdicts on a saved article: on its text, on settings that take effect at once, and on planned archiving.

Each verdict has its own field for the reason to override it, because a reason for publishing a text does not cover
anything else.
"""

from collections.abc import Mapping

from django.http import HttpRequest

from kb.models import Article
from kb.phrasings import phrasings_of
from kb.scheduling import Step
from kb.services import Change
from supportbot.console.articles.editor import plan_fields
from supportbot.console.articles.gate_check import (
    CHANGED_AGAINST_GATES,
    OVERRIDES,
    PLANNED_AGAINST_GATES,
    PUBLISHED_AGAINST_GATES,
    Passed,
    pass_gates,
    settle,
)
from supportbot.console.request_context import staff, workspace_here
from supportbot.evals.articles.article_gates import Phrasings, Trial, archiving, changing, publishing
from supportbot.releases.selectors import gates

TEXT, AT_ONCE, ARCHIVING = OVERRIDES
Terms = Mapping[str, Passed]  # keyed by the field with the reason to override


def terms_of(
    request: HttpRequest, article: Article | None, change: Change, times: plan_fields.Wanted, phrasings: Phrasings
) -> Terms:
    """Return the gates' results for the changes that customers will notice, both immediate and planned.

    Call this before locking the article, because it takes seconds. Raises the same errors as `pass_gates`.
    """
    if not gates():
        return {}
    terms: dict[str, Passed] = {}
    if publishes(request) or times.get(Step.PUBLISH):
        external_id = request.POST.get("external_id", "").strip()
        terms[TEXT] = asked(request, publishing(article, change, external_id=external_id, phrasings=phrasings), TEXT)
    if article is not None and plan_fields.is_new(article, times, Step.ARCHIVE):
        terms[ARCHIVING] = asked(request, archiving(article), ARCHIVING)
    if not publishes(request) and article is not None and _acts_at_once(article, change, phrasings):
        terms[AT_ONCE] = asked(request, changing(article, change, phrasings=phrasings), AT_ONCE)
    return terms


def asked(request: HttpRequest, trial: Trial, field: str = TEXT) -> Passed:
    """Return the gates' result for a change.

    `field` is the form field for the reason to override them.
    """
    reason = request.POST.get(field, "")
    return pass_gates(trial, workspace=workspace_here(request), person=staff(request), override=reason, field=field)


def publishes(request: HttpRequest) -> bool:
    return request.POST.get("do") == "publish"


def reasons_in(terms: Terms) -> Mapping[Step, str]:
    """Return the reason for overriding the gates, for each step that can be planned; "" if they accept the
    step.
    """
    fields = {Step.PUBLISH: TEXT, Step.ARCHIVE: ARCHIVING}
    return {step: terms.get(field, Passed()).override for step, field in fields.items()}


def settle_terms(request: HttpRequest, terms: Terms, article: Article) -> None:
    """Record each overridden refusal in the audit trail. Call this in the change's transaction."""
    events = {
        TEXT: PUBLISHED_AGAINST_GATES if publishes(request) else PLANNED_AGAINST_GATES,
        AT_ONCE: CHANGED_AGAINST_GATES,
        ARCHIVING: PLANNED_AGAINST_GATES,
    }
    for field, passed in terms.items():
        settle(request, passed, article.pk, event=events[field])


def _acts_at_once(article: Article, change: Change, phrasings: Phrasings) -> bool:
    """Return whether the audience, language or phrasings of a live article change.

    These changes take effect without publishing.
    """
    if not article.is_live:
        return False
    wanted = (
        (change.audience, article.audience),
        (change.locale, article.locale),
        (change.for_assistant, article.for_assistant),
    )
    has_other_facts = any(new is not None and new != old for new, old in wanted)
    return has_other_facts or (phrasings is not None and set(phrasings) != set(phrasings_of(article)))
