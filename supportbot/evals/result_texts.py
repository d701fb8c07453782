"""Results as text in the reader's language: grades, reports, failures and comparisons of runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from django.utils.translation import gettext, gettext_noop, ngettext

from actions.reasons import CODES, Reason
from actions.registry import all_actions
from actions.spec import Action
from actions.team_reasons import team_sentence
from kb.models import Article
from supportbot.evals.calls_in_words import action_title, call_in_words, calls_from
from supportbot.evals.grading.graders import VERDICT, Grade, grade_from
from supportbot.evals.grading.run_comparison import Comparison
from supportbot.evals.grading.run_reports import Report
from supportbot.team_formats import language_name, number, percentage

_SMALLEST_P: Final = 0.001  # smaller values are shown as "less than"
NAMING_ARTICLES: Final = ("source", "finds", "hit5")  # expectations whose values are ids of articles
NAMING_ACTIONS: Final = ("proposes", "requests", "detects", "looks_up")  # expectations whose values are actions
SIGNAL_WORDS: Final = {
    "withheld": gettext_noop("The checks withhold sentences in more answers than before."),
    "unmarked": gettext_noop("The model cites the sources of its claims in fewer answers than before."),
}

# Why a run waits, by the code of the interruption.
INTERRUPTIONS: Final = {
    "model_unavailable": gettext_noop("The model is not responding."),
    "model_budget": gettext_noop("Today's budget for evaluations is spent."),
    "model_misconfigured": gettext_noop("No model is set up for this, or its server refuses the key."),
    "no_merchant": gettext_noop(
        "Customers in this suite confirm cards, so it needs the benchmark's shop. Run it with `manage.py "
        "retail_benchmark`."
    ),
    "release_changed": gettext_noop("The draft was changed while it was being evaluated."),
    "product_changed": gettext_noop("The product was updated in the meantime. Start again."),
    "not_found": gettext_noop("The run's release no longer exists."),
}

# The names of expectations, by their key in a suite.
SUBJECTS: Final = {
    "answered": gettext_noop("answer"),
    "contains": gettext_noop("words"),
    "contains_any": gettext_noop("words"),
    "mentions": gettext_noop("words"),
    "not_contains": gettext_noop("words"),
    "equals": gettext_noop("whole answer"),
    "not_equals": gettext_noop("whole answer"),
    "starts_with": gettext_noop("beginning of the answer"),
    "not_starts_with": gettext_noop("beginning of the answer"),
    "pattern": gettext_noop("pattern"),
    "not_pattern": gettext_noop("pattern"),
    "figures": gettext_noop("figures"),
    "not_figures": gettext_noop("figures"),
    "source": gettext_noop("cited articles"),
    "finds": gettext_noop("found articles"),
    "hit5": gettext_noop("found articles"),
    "quotes": gettext_noop("quotation"),
    "cites": gettext_noop("cited articles"),
    "says": gettext_noop("statement"),
    "never_says": gettext_noop("statement"),
    "abstains": gettext_noop("admits that it found no answer"),
    "hands_over": gettext_noop("hands over to a person"),
    "proposes": gettext_noop("proposed action"),
    "looks_up": gettext_noop("look-up"),
    "refuses": gettext_noop("refusal"),
    "records": gettext_noop("records of the shop"),
    "language": gettext_noop("language"),
    "detects": gettext_noop("detected action"),
    "requests": gettext_noop("detected actions"),
    "answerable": gettext_noop("judged answerable by the search"),
    "touched": gettext_noop("doubted by the checks"),
    "support": gettext_noop("support by the sources"),
    "seconds": gettext_noop("seconds"),
    "cost": gettext_noop("cost"),
    "judge": gettext_noop("judge’s verdict"),
}
# Why a case ended early, by the code in its outcome (`case_outcomes.CaseTry`).
FAILURES: Final = {
    "customer_no_json": gettext_noop("The model that plays the customer did not answer with JSON."),
    "too_costly": gettext_noop("The conversation cost more than the case allows."),
    "too_many_tokens": gettext_noop("The conversation used too many tokens."),
    "handed_over": gettext_noop("A person took over before the answer."),
    "ungraded": gettext_noop("An expectation could not be graded. See the log."),
}
# Why a conversation was not judged, by the code in its grade.
WITHOUT_VERDICT: Final = {
    "no_json": gettext_noop("The judging model did not answer with the JSON that it was asked for."),
    "none": gettext_noop("The conversation ended early, so it was not judged."),
}
OTHER_PROBLEM: Final = gettext_noop("The judging model gave no verdict.")
YES_OR_NO: Final = {"true": gettext_noop("yes"), "false": gettext_noop("no")}
ANY_OR_NONE: Final = {"true": gettext_noop("something"), "false": gettext_noop("nothing")}
FLAGS: Final = {
    "cites": ANY_OR_NONE,
    "abstains": YES_OR_NO,
    "hands_over": YES_OR_NO,
    "proposes": ANY_OR_NONE,
    "looks_up": ANY_OR_NONE,
    "refuses": ANY_OR_NONE,
    "detects": ANY_OR_NONE,
    "requests": ANY_OR_NONE,
    "answerable": YES_OR_NO,
    "touched": YES_OR_NO,
}
# How a model's call ended, by its code in `case_outcomes.CallEnd`.
CALL_ENDS: Final = {
    "proposed": gettext_noop("proposed"),
    "refused": gettext_noop("refused by the rules"),
    "answered": gettext_noop("looked up"),
    "handed_over": gettext_noop("handed over to a person"),
    "withdrawn": gettext_noop("withdrew the cards"),
    "rejected": gettext_noop("not accepted as a call"),
    "done": gettext_noop("carried out"),
    "not_done": gettext_noop("not carried out"),
    "declined": gettext_noop("declined"),
}


def interruption(code: str) -> str:
    """Return a sentence that explains why a run was interrupted."""
    known = INTERRUPTIONS.get(code)
    return gettext(known) if known else gettext("Something went wrong ({code}). See the log.").format(code=code)


def stopped() -> str:
    """Return a sentence for a check that has failed several times and will not be tried again."""
    return gettext("The check failed several times and will not be tried again. The error has been logged.")


def why(grade: Grade, actions: Mapping[str, Action]) -> str:
    """Return why an expectation failed: its name and the difference. `actions` are those in force, by name."""
    place = gettext("step {number}").format(number=grade.step) + ", " if grade.step else ""
    if grade.grader == "answered":
        return f"{place}{failure(grade.got)}"
    subject = SUBJECTS.get(grade.grader)
    return f"{place}{gettext(subject) if subject else grade.grader}: {_difference(grade, actions)}"


def failure(code: str) -> str:
    """Return a sentence that explains why a case ended early."""
    known = FAILURES.get(code) or INTERRUPTIONS.get(code)
    return gettext(known) if known else gettext("The answer failed ({code}). See the log.").format(code=code)


def expectations(document: Mapping[str, Any]) -> list[str]:
    """Return a case's expectations as text."""
    steps = [step for step in document.get("steps", []) if isinstance(step, dict)]
    expected = [document.get("expect", {}), *(step.get("expect", {}) for step in steps)]
    return list(dict.fromkeys(gettext(SUBJECTS.get(name, name)) for one in expected for name in one))


def _difference(grade: Grade, actions: Mapping[str, Action]) -> str:
    if grade.grader == "judge" and grade.wanted == VERDICT:
        return gettext(WITHOUT_VERDICT.get(grade.got, OTHER_PROBLEM))
    if grade.missing:
        return gettext("missing {texts}").format(texts=_quoted(grade.missing))
    if grade.found:
        return gettext("must not say {texts}").format(texts=_quoted(grade.found))
    if grade.grader == "proposes" and ", approvals: " in grade.wanted:
        wanted, got = _calls(grade.wanted, actions), _calls(grade.got, actions, approvals=0)
    else:
        wanted, got = (_value(grade.grader, value, actions) for value in (grade.wanted, grade.got or "–"))
    return gettext("expected {wanted}, got {got}").format(wanted=wanted, got=got)


def _value(grader: str, value: str, actions: Mapping[str, Action]) -> str:
    """Return a grade's value as text. Booleans become yes or no, a refusal's code becomes the text that customers see,
    and actions and languages get their names.
    """
    flag = FLAGS.get(grader, {}).get(value)
    if flag is not None:
        return gettext(flag)
    if grader in ("proposes", "requests"):
        return _calls(value, actions)
    if grader in ("detects", "looks_up"):
        return ", ".join(action_title(name, actions) for name in value.split(", "))
    if grader == "language":
        return language_name(value)
    return ", ".join(map(_refusal, value.split(", "))) if grader == "refuses" else value


def _calls(value: str, actions: Mapping[str, Action], *, approvals: int | None = None) -> str:
    """Return stored calls as text. `approvals` is used for calls that do not specify a number."""
    if flag := FLAGS["proposes"].get(value):
        return gettext(flag)
    calls = calls_from(value)
    if calls is None:
        return value
    known = (replace(call, approvals=approvals if call.approvals is None else call.approvals) for call in calls)
    return "; ".join(call_in_words(call, actions) for call in known)


def _refusal(code: str) -> str:
    return _quoted([team_sentence(Reason(code))]) if code in CODES else code


def _quoted(texts: Iterable[str]) -> str:
    return ", ".join(gettext("“{quotation}”").format(quotation=text) for text in texts)


def reasons(stored: Iterable[Mapping[str, Any]], actions: Mapping[str, Action]) -> list[str]:
    """Return the reasons why a try failed, from its stored grades; [] if it passed. `actions` are those in force."""
    return [why(grade, actions) for grade in map(grade_from, stored) if not grade.passed]


def summary(report: Report) -> str:
    """Return a sentence with the number of cases passed and the confidence interval of the pass rate."""
    share = round(100 * report.passed / report.cases) if report.cases else 0
    words = ngettext(
        "{passed} of {cases} case passed ({share}%, 95% confidence interval {low}% to {high}%).",
        "{passed} of {cases} cases passed ({share}%, 95% confidence interval {low}% to {high}%).",
        report.cases,
    )
    low, high = (round(100 * edge) for edge in report.interval)
    return words.format(passed=report.passed, cases=report.cases, share=share, low=low, high=high)


def every_time(report: Report) -> list[str]:
    """Return pass^k as text for each number of tries; [] if each case was run once."""
    if len(report.pass_hat) < 2:
        return []
    return [
        ngettext("{k} attempt: {share}", "{k} attempts: {share}", k).format(k=k, share=percentage(100 * hat))
        for k, hat in enumerate(report.pass_hat, 1)
    ]


def comparison_facts(found: Comparison | None, report: Report | None) -> dict[str, Any] | None:
    """Return the comparison with the baseline as JSON, including its text; None if there is none."""
    return None if found is None else {**found.as_json(), "words": comparison_words(found, report)}


def comparison_words(found: Comparison, report: Report | None = None) -> list[str]:
    """Return sentences on how a run differs from another: first the changes, then whether chance explains them.

    `report` is the run's report if it makes the same comparison. If it already calls the samples worse, the sentences
    do not judge them again: their p-value is about twice that of the report, which tests only for losses.
    """
    if not found.compared:
        return [gettext("The runs have no unchanged case in common.")]
    sentences = [_changes(found)]
    if found.certain:
        sentences += _certain(found)
    if found.has_moved:
        sentences += (
            [_passed_tries(found)] if report and report.is_worse else [_likelihood(found), _passed_tries(found)]
        )
    if found.not_compared:
        left = ngettext(
            "{number} case is new or was changed, so it is not compared.",
            "{number} cases are new or were changed, so they are not compared.",
            found.not_compared,
        )
        sentences.append(left.format(number=found.not_compared))
    return sentences


def _changes(found: Comparison) -> str:
    if not (found.worse or found.better):
        words = ngettext(
            "{compared} compared case has the same result as before.",
            "All {compared} compared cases have the same result as before.",
            found.compared,
        )
    else:
        words = ngettext(
            "Of {compared} compared case, {worse} got worse and {better} better.",
            "Of {compared} compared cases, {worse} got worse and {better} better.",
            found.compared,
        )
    return words.format(compared=found.compared, worse=found.worse, better=found.better)


def _certain(found: Comparison) -> list[str]:
    """Return sentences on the changes: first those that are certain, then those that may be due to chance."""
    if not found.sampled:
        return [gettext("No model was used, so answers do not vary by chance: each change is real.")]
    words = ngettext(
        "{number} of these changes is real: its case uses no model, so the answer does not vary by chance.",
        "{number} of these changes are real: their cases use no model, so the answers do not vary by chance.",
        found.certain,
    )
    sentences = [words.format(number=found.certain)]
    if found.has_moved:
        words = ngettext(
            "Of {sampled} case with a model, {worse} got worse and {better} better.",
            "Of {sampled} cases with a model, {worse} got worse and {better} better.",
            found.sampled,
        )
        sentences.append(words.format(sampled=found.sampled, worse=found.sampled_worse, better=found.sampled_better))
    return sentences


def _passed_tries(found: Comparison) -> str:
    low, high = found.interval
    words = gettext("Share of passed attempts: {change} points (95% confidence interval {low} to {high}).")
    return words.format(change=_points(found.difference), low=_points(low), high=_points(high))


def _likelihood(found: Comparison) -> str:
    if not found.is_real:
        words = gettext("This is not evidence of a real change: it may be chance ({p}).")
    elif found.difference < 0:
        words = gettext("This is unlikely to be chance: the answers got worse ({p}).")
    else:
        words = gettext("This is unlikely to be chance: the answers got better ({p}).")
    return words.format(p=_p(found.p))


def _points(share: float) -> str:
    points = round(100 * share)
    return f"+{points}" if points > 0 else f"−{-points}" if points < 0 else "0"


def _p(p: float) -> str:
    if p < _SMALLEST_P:
        return f"p < {number(_SMALLEST_P, decimals=3)}"
    return f"p = {number(p, decimals=2 if p >= 0.1 else 3)}"


def verdict(report: Report) -> list[str]:
    """Return the reasons why a run is bad, one line each; [] for a good run."""
    return [words.format(cases=", ".join(keys)) for words, keys in verdict_parts(report)]


def verdict_parts(report: Report) -> list[tuple[str, tuple[str, ...]]]:
    """Return the lines of `verdict` with the placeholder `{cases}`, each with the names of its cases."""
    lines = []
    if report.failed_must:
        lines.append((gettext("Must pass but failed: {cases}."), report.failed_must))
    if report.regressions:
        lines.append((gettext("Passed before but failed now: {cases}."), report.regressions))
    if report.is_worse:
        lost = round(-100 * report.difference)
        words = gettext("Worse than before: pass rate down {lost} points in {cases} sampled cases (p = {p}).")
        lines.append((words.format(lost=lost, cases=report.sampled, p=f"{report.worse_p:.3f}"), ()))
    return lines + [(gettext(SIGNAL_WORDS[name]), ()) for name in report.signals]


def reasons_of_each(stored: Iterable[Iterable[Mapping[str, Any]]]) -> list[list[str]]:
    """Return the reasons why each of several tries failed. The titles of articles are read in one query, and so are the
    actions.
    """
    failed = [[grade for grade in map(grade_from, grades) if not grade.passed] for grades in stored]
    titles, actions = _named_in([grade for grades in failed for grade in grades])
    return [[_in_words(grade, titles, actions) for grade in grades] for grades in failed]


def in_words(failed: Iterable[Grade]) -> list[str]:
    """Return why expectations failed, with articles' titles instead of their ids."""
    grades = list(failed)
    titles, actions = _named_in(grades)
    return [_in_words(grade, titles, actions) for grade in grades]


def _named_in(grades: Sequence[Grade]) -> tuple[Mapping[str, str], Mapping[str, Action]]:
    """Return the titles of the articles named in grades, by id, and the actions in force if grades name any."""
    ids = {one for grade in grades if grade.grader in NAMING_ARTICLES for one in _listed(grade.wanted, grade.got)}
    known = Article.objects.filter(external_id__in=ids).values_list("external_id", "latest_revision__title")
    actions = all_actions() if any(grade.grader in NAMING_ACTIONS for grade in grades) else {}
    return dict(known) if ids else {}, actions


def _in_words(grade: Grade, titles: Mapping[str, str], actions: Mapping[str, Action]) -> str:
    return why(_titled(grade, titles) if grade.grader in NAMING_ARTICLES else grade, actions)


def _titled(grade: Grade, titles: Mapping[str, str]) -> Grade:
    wanted, got = (_quoted([titles.get(one, one) for one in _listed(ids)]) for ids in (grade.wanted, grade.got))
    return replace(grade, wanted=wanted, got=got)


def _listed(*texts: str) -> list[str]:
    return [one for text in texts for one in text.split(", ") if one]
