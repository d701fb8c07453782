"""People label the results of a run in the console, blind to the judge's verdicts."""

from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from selectolax.lexbor import LexborHTMLParser

from kb.models import Article
from supportbot.accounts.models import User, Workspace
from supportbot.console.evals import run_pages
from supportbot.evals import services
from supportbot.evals.grading import human_labels
from supportbot.evals.grading.judge_agreement import agreement_in
from supportbot.evals.grading.run_reports import report_of
from supportbot.evals.models import Label, Result, Run, SeenVerdicts
from supportbot.evals.runs import run_worker
from supportbot.evals.runs.case_outcomes import CaseTry, Reply
from supportbot.evals.runs.command_output import junit
from supportbot.evals.selectors import tries_of
from supportbot.evals.suite_formats.own_format import parse_case, parse_suite
from supportbot.llm.testing import answering
from tests.assistant.conftest import returns_article, shop
from tests.console.conftest import Enter, logged_in, person
from tests.evals.test_runs import Judging
from tests.pages import visible_text
from tests.patience import PATIENCE_SECONDS

__all__ = ["returns_article", "shop"]  # fixtures
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.long
def test_people_label_a_run_without_seeing_the_judges_verdicts(enter: Enter, returns_article: Article) -> None:
    cases = [{"id": f"c{number}", "ask": "Hello", "expect": {"judge": "Is polite."}} for number in range(4)]
    suite = services.save_suite(parse_suite({"suite": "judged", "cases": cases}, file=""))
    good, bad = '{"good": true, "why": "It greets."}', '{"good": false, "why": "It is rude."}'
    with answering(Judging((good, good, bad, bad))):
        run = services.start_run(suite)
        run_worker.execute_run(run.pk)
    client = enter("supervisor")
    address = reverse("admin:evals_run_change", args=[run.pk])
    assert "Nobody has labelled" in client.get(address).content.decode()
    queue = f"{reverse('admin:evals_run_labels')}?run={run.pk}"
    # The person agrees with the judge on one pass and one fail, is stricter once, and is unsure once.
    said = {True: ["pass", "fail"], False: ["fail", "unsure"]}
    for left in (4, 3, 2, 1):
        page = client.get(queue)
        html = page.content.decode()
        assert page.context["left"] == left and "Is polite." in html and "Hello, how can I help you?" in html
        result = page.context["result"]
        verdict = said[result.judged_good].pop(0)
        label = reverse("admin:evals_result_label", args=[result.pk])
        assert client.post(label, {"verdict": "perhaps", "run": str(run.pk)}).status_code == 302
        if left == 4:  # a mistake, corrected before anything was shown
            client.post(label, {"verdict": "unsure", "run": str(run.pk)})
        told = client.post(label, {"verdict": verdict, "note": "n", "run": str(run.pk)}, follow=True).content.decode()
        for page_html in (told, client.get(f"{address}?show=all").content.decode()):
            assert ("It is rude." in page_html, "judge’s verdict:" in page_html) == (False, False) or left == 1
    assert "You have labelled every result of this run" in told and f"{address}?show=all" in told
    assert "It is rude." in client.get(f"{address}?show=all").content.decode()
    refused = client.post(label, {"verdict": "pass", "run": str(run.pk)}, follow=True).content.decode()
    assert "Not saved" in refused, "the judge's verdict has been shown"
    assert "No results are waiting" in client.get(queue).content.decode()
    found = agreement_in(run)
    assert found is not None and (found.labels, found.unsure, found.agreed) == (3, 1, 2)
    assert found.confusion == (1, 1, 1, 0) and found.kappa == pytest.approx(0.4)  # (2/3 - 4/9) / (1 - 4/9)
    words = "agrees with people on 2 of 3 labelled results (kappa 0.40)"
    assert words in client.get(address).content.decode()
    assert words in client.get(reverse("admin:evals_suite_change", args=[suite.pk])).content.decode()
    assert words.encode() in junit(run)
    assert Label.objects.count() == 4


def test_nobody_sees_the_labels_of_others(enter: Enter, workspace: Workspace, returns_article: Article) -> None:
    suite = services.save_suite(
        parse_suite(
            {"suite": "judged", "cases": [{"id": "c", "ask": "Hello", "expect": {"judge": "Is polite."}}]}, file=""
        )
    )
    with answering(Judging(('{"good": true, "why": "It greets."}',))):
        run = services.start_run(suite)
        run_worker.execute_run(run.pk)
    first, queue = enter("supervisor"), reverse("admin:evals_run_labels")
    result = first.get(queue).context["result"]
    label = reverse("admin:evals_result_label", args=[result.pk])
    first.post(label, {"verdict": "unsure", "note": "What is polite?"})
    second = enter("admin")
    shown = second.get(queue)
    assert shown.context["result"] == result and "What is polite?" not in shown.content.decode()
    second.post(label, {"verdict": "pass"})
    third = logged_in(person(workspace, "admin", "third"))
    assert third.get(queue).context["left"] == 0
    assert "Not saved" in third.post(label, {"verdict": "fail"}, follow=True).content.decode()
    assert Label.objects.count() == 2


@pytest.mark.long
def test_a_runs_page_hides_the_judges_verdict_until_the_label_is_given(enter: Enter, returns_article: Article) -> None:
    cases = [{"id": f"c{n}", "must": True, "ask": "Hello", "expect": {"judge": "Is polite."}} for n in range(2)]
    suite = services.save_suite(parse_suite({"suite": "judged", "cases": cases}, file=""))
    with answering(Judging(('{"good": false, "why": "It is rude."}',) * 2)):
        run = services.start_run(suite)
        run_worker.execute_run(run.pk)
    address, queue = reverse("admin:evals_run_change", args=[run.pk]), reverse("admin:evals_run_labels")
    client = enter("supervisor")

    def main(**told: str) -> str:
        return visible_text(LexborHTMLParser(client.get(address, told).content.decode()).css_first("main"))

    assert main(show="all").count("Waiting for your label") == 2
    for telling in ("rude", "judge’s verdict:", "must pass: c", "Must pass but failed"):
        assert telling not in main(show="all")
    assert "No cases of this kind." in main(show="failed")
    result = client.get(queue).context["result"]
    client.post(reverse("admin:evals_result_label", args=[result.pk]), {"verdict": "fail"})
    assert (main(show="all").count("Waiting for your label"), main(show="all").count("Labelled")) == (1, 1)
    assert "rude" not in main(show="all") and "Must pass but failed" not in main()
    assert client.post(reverse("admin:evals_run_show", args=[run.pk])).status_code == 302
    assert "Waiting for your label" not in main(show="all") and "Must pass but failed: c0, c1." in main()
    client = logged_in(User.objects.get(username__startswith="supervisor"))  # in another session
    assert client.get(queue).context["left"] == 0  # whoever has seen the verdicts cannot label this run
    [other] = Result.objects.filter(run=run).exclude(pk=result.pk)
    refused = client.post(reverse("admin:evals_result_label", args=[other.pk]), {"verdict": "fail"}, follow=True)
    assert "Not saved" in refused.content.decode()
    assert Label.objects.count() == 1
    assert enter("admin").get(queue).context["left"] == 1
    assert client.get(reverse("admin:evals_run_show", args=[run.pk])).status_code == 405
    assert Label.objects.count() == 1


def judged_run(cases: int, judged: int) -> Run:
    """Store an interrupted run in which the judge has failed the first cases."""
    asked = [{"id": f"c{n}", "must": True, "ask": "Hello", "expect": {"judge": "Is polite."}} for n in range(cases)]
    run = services.start_run(services.save_suite(parse_suite({"suite": "judged", "cases": asked}, file="")))
    Run.objects.filter(pk=run.pk).update(state="paused", lease_until=None)
    for number in range(judged):
        judge(run, number)
    return run


def judge(run: Run, number: int) -> Result:
    """Store a result that the judge fails, as a worker does."""
    grade = {"grader": "judge", "passed": False, "wanted": "Is polite.", "got": "It is rude."}
    facts = {"judged_good": False, "judged_by": "m", "played": CaseTry((Reply("Hello", "Go away."),)).as_json()}
    made: Result = Result.objects.create(
        run=run, key=f"c{number}", number=1, passed=False, is_must=True, grades=[grade], **facts
    )
    return made


def finish(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(state="done", report=report_of(tries_of(run)).as_json())


def label_of(client: Client, result: Result, verdict: str) -> str:
    """Label a result, and return the page in the response."""
    address = reverse("admin:evals_result_label", args=[result.pk])
    return client.post(address, {"verdict": verdict, "run": str(result.run_id)}, follow=True).content.decode()


@pytest.mark.long
@pytest.mark.parametrize("state", ["waiting", "running", "paused"])
def test_verdicts_stay_hidden_until_the_run_is_done(enter: Enter, returns_article: Article, state: str) -> None:
    run = judged_run(2, 1)
    Run.objects.filter(pk=run.pk).update(state=state)
    client, [first] = enter("supervisor"), Result.objects.filter(run=run)
    address = reverse("admin:evals_run_change", args=[run.pk])

    def main() -> str:
        return visible_text(LexborHTMLParser(client.get(address, {"show": "all"}).content.decode()).css_first("main"))

    told = label_of(client, first, "pass")
    assert "Saved." in told and "You have labelled every result of this run" not in told
    assert "rude" not in main() and "Labelled" in main() and "hidden until the run has ended" in main()
    assert "Saved." in label_of(client, first, "fail"), "nothing was shown, so a mistake can be corrected"
    second = judge(run, 1)
    assert "rude" not in main() and "Waiting for your label" in main()
    finish(run)
    assert "rude" not in main()
    assert "You have labelled every result of this run" in label_of(client, second, "fail")
    assert "rude" in main() and "hidden until" not in main()
    assert set(Label.objects.values_list("verdict", flat=True)) == {"fail"}


def mixed_run(baseline: Run | None = None) -> Run:
    """Store a run of one case without a judge, which passed, and one that the judge has failed."""
    asked = [
        {"id": "plain", "must": True, "ask": "Hello", "expect": {"contains": "Hi"}},
        {"id": "c0", "must": True, "ask": "Hello", "expect": {"judge": "Is polite."}},
    ]
    suite = services.save_suite(parse_suite({"suite": "judged", "cases": asked}, file=""))
    run = services.start_run(suite, baseline=baseline)
    played = CaseTry((Reply("Hello", "Hi."),)).as_json()
    Result.objects.create(run=run, key="plain", number=1, passed=True, is_must=True, grades=[], played=played)
    judge(run, 0)
    finish(run)
    return run


@pytest.mark.long
def test_no_figure_reveals_an_outcome_before_its_label(enter: Enter, returns_article: Article) -> None:
    earlier = mixed_run()
    run = mixed_run(baseline=earlier)
    client = enter("supervisor")
    page = reverse("admin:evals_run_change", args=[run.pk])
    places = [
        page,
        f"{page}?against={earlier.pk}",
        f"{page}?show=all&against={earlier.pk}",
        reverse("admin:evals_run_change", args=[earlier.pk]) + f"?against={run.pk}",
        reverse("admin:evals_suite_change", args=[run.suite_id]),
        reverse("admin:evals_suite_changelist"),
        reverse("admin:evals_run_changelist"),
        reverse("admin:evals_run_labels"),
    ]

    def text_of(place: str) -> str:
        return visible_text(LexborHTMLParser(client.get(place).content.decode()).css_first("main"))

    for place in places:
        told = text_of(place)
        for telling in (
            "1 of 2",
            "1 of 2 passed",
            "50%",
            "Worse or failed",
            "Previously failed",
            "Previously passed",
            "rude",
        ):
            assert telling not in told, (place, telling)
    assert "1 of 1 case passed" in text_of(page) and "the figures leave out" in text_of(page)
    assert "Hidden until you have labelled it" in text_of(reverse("admin:evals_run_changelist"))
    [result] = Result.objects.filter(run=run, key="c0")
    label_of(client, result, "fail")
    assert "1 of 2 cases passed" in text_of(page)
    # The earlier run's label is still missing, so what changed since then stays hidden.
    against = text_of(f"{page}?show=all&against={earlier.pk}")
    assert "Previously failed" not in against and "Previously passed" not in against and against.count("rude") == 1
    assert "1 of 2 passed" in text_of(reverse("admin:evals_run_changelist"))
    assert "Hidden until you have labelled it" in text_of(reverse("admin:evals_run_changelist"))


@pytest.mark.long
@pytest.mark.parametrize("place", ["admin:evals_run_changelist", "admin:evals_run_change"])
def test_anyone_who_could_see_the_verdicts_cannot_label_after_a_label_is_withdrawn(
    enter: Enter, returns_article: Article, place: str
) -> None:
    run = judged_run(2, 2)
    finish(run)
    first, second = Result.objects.filter(run=run).order_by("key")
    ann, bob, cem = enter("supervisor"), enter("admin"), logged_in(person(run.workspace, "admin", "cem"))
    label_of(bob, first, "fail")
    label_of(ann, second, "unsure")  # now nothing waits for Ann, but one result for Bob and Cem
    page = reverse(place, args=[] if place.endswith("list") else [run.pk])
    with CaptureQueriesContext(connection) as ran:
        shown = [client.get(page).content.decode() for client in (ann, bob, cem)]
    telling = "0 of 2 passed" if place.endswith("list") else "rude"
    assert [telling in one for one in shown] == [True, False, False]
    assert not [query for query in ran if query["sql"].startswith(('INSERT INTO "evals', 'UPDATE "evals'))]
    assert "Saved." in label_of(bob, first, "unsure")  # Bob withdraws his label, so the result would wait for Ann
    assert "Not saved" in label_of(ann, first, "fail") and telling in ann.get(page).content.decode()
    assert "Saved." in label_of(cem, first, "fail"), "Cem has seen nothing"
    assert SeenVerdicts.objects.get().person.username.startswith("supervisor")


@pytest.mark.long
def test_a_copied_result_is_labelled_only_in_its_first_run_and_hidden_until_then(
    enter: Enter, returns_article: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = judged_run(2, 2)
    finish(earlier)
    first, second = Result.objects.filter(run=earlier).order_by("key")
    run = judged_run(2, 0)
    reuse(monkeypatch, run, first, second)
    copies = Result.objects.filter(run=run).order_by("key")
    page, queue = reverse("admin:evals_run_change", args=[run.pk]), reverse("admin:evals_run_labels")
    ann, bob = enter("supervisor"), enter("admin")
    assert "rude" not in ann.get(page, {"show": "all"}).content.decode(), "its original waits for Ann"
    assert ann.get(queue).context["left"] == ann.get(f"{queue}?run={run.pk}").context["left"] == 2
    assert ann.get(f"{queue}?run={run.pk}").context["result"].run_id == earlier.pk
    assert "Not saved" in label_of(ann, copies[0], "fail")
    for result in (first, second):
        label_of(ann, result, "fail")
    assert "rude" in ann.get(page, {"show": "all"}).content.decode()
    found = agreement_in(run)
    assert found is not None and found.labels == 2, "a label of the original counts once"
    assert "rude" in bob.get(page, {"show": "all"}).content.decode(), "nothing is left to label"
    Label.objects.all().delete()
    assert "rude" not in bob.get(page, {"show": "all"}).content.decode()
    assert bob.post(reverse("admin:evals_run_show", args=[run.pk])).status_code == 302
    assert "rude" in bob.get(page, {"show": "all"}).content.decode()
    assert "Not saved" in label_of(bob, first, "fail"), "Bob has seen the verdict on its copy"
    label_of(ann, first, "fail")
    assert "Saved." in label_of(ann, first, "unsure"), "whoever has seen its copy is known"
    assert "Not saved" in label_of(bob, first, "fail")
    assert "Saved." in label_of(logged_in(person(run.workspace, "admin", "cem")), first, "fail")


def reuse(monkeypatch: pytest.MonkeyPatch, run: Run, *results: Result) -> None:
    """Reuse results of earlier runs in a run, as a worker does if what has changed concerns none of their cases."""
    monkeypatch.setattr(run_worker, "finds_the_same", lambda *_: True)
    documents = {document["id"]: document for document in run.cases}
    for result in results:
        copy = run_worker.reusable_result(run, result, parse_case(documents[result.key]), run.workspace)
        assert copy is not None
        copy.save(force_insert=True)
    finish(run)


@pytest.mark.long
def test_a_copy_is_hidden_while_its_original_can_still_be_labelled_or_corrected(
    enter: Enter, returns_article: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = judged_run(3, 2)
    finish(first)
    one, two = Result.objects.filter(run=first).order_by("key")
    second, third = judged_run(3, 0), judged_run(3, 0)
    reuse(monkeypatch, second, one)
    own = judge(second, 2)
    finish(second)
    reuse(monkeypatch, third, own)
    bob = enter("admin")
    pages = {run.pk: reverse("admin:evals_run_change", args=[run.pk]) for run in (first, second, third)}
    queue = f"{reverse('admin:evals_run_labels')}?run={second.pk}"

    def shown() -> list[bool]:
        texts = [bob.get(page, {"show": "all"}).content.decode() for page in pages.values()]
        listed = bob.get(reverse("admin:evals_run_changelist")).content.decode()
        assert listed.count("of 3 passed") == sum("rude" in text for text in texts)
        return ["rude" in text for text in texts]

    label_of(bob, one, "pass")
    label_of(bob, own, "pass")
    assert shown() == [False] * 3, "the other result of the first run still waits for Bob"
    assert bob.get(queue).context["left"] == 1 and bob.get(queue).context["result"].pk == two.pk
    text = visible_text(LexborHTMLParser(bob.get(pages[second.pk], {"show": "all"}).content.decode()).css_first("main"))
    assert "Labelled" in text and "Waiting for your label" not in text
    assert "Saved." in label_of(bob, own, "fail"), "Bob has seen no verdict"
    label_of(bob, two, "fail")
    assert shown() == [True] * 3
    assert "Not saved" in label_of(bob, own, "pass") and "Not saved" in label_of(bob, one, "fail")
    cem = logged_in(person(first.workspace, "admin", "cem"))
    Label.objects.all().delete()
    assert cem.post(reverse("admin:evals_run_show", args=[third.pk])).status_code == 302
    for result in (one, two, own):
        assert "Not saved" in label_of(cem, result, "fail"), "the runs behind the one shown to Cem are shown, too"


@pytest.mark.long
def test_anyone_who_could_see_a_run_with_copies_cannot_label_after_a_label_is_withdrawn(
    enter: Enter, returns_article: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier, run = judged_run(2, 1), judged_run(2, 0)
    finish(earlier)
    [copied] = Result.objects.filter(run=earlier)
    own = judge(run, 1)
    reuse(monkeypatch, run, copied)
    ann, bob, cem = enter("supervisor"), enter("admin"), logged_in(person(run.workspace, "admin", "cem"))
    page = reverse("admin:evals_run_change", args=[run.pk])
    label_of(ann, own, "fail")
    label_of(bob, copied, "unsure")  # it waits for Ann and Cem, but nothing waits for Bob
    assert ["rude" in client.get(page, {"show": "all"}).content.decode() for client in (ann, bob)] == [False, True]
    assert "Saved." in label_of(ann, own, "unsure")
    assert "Not saved" in label_of(bob, own, "fail"), "Bob has seen the verdict"
    assert "Saved." in label_of(cem, own, "fail"), "Cem has seen nothing"


@pytest.mark.long
def test_the_agreement_with_people_leaves_out_labels_in_hidden_runs(enter: Enter, returns_article: Article) -> None:
    shown, hidden = judged_run(2, 1), judged_run(2, 2)
    for run in (shown, hidden):
        finish(run)
    [only], (one, two) = (Result.objects.filter(run=run).order_by("key") for run in (shown, hidden))
    client = enter("admin")
    page = reverse("admin:evals_run_change", args=[shown.pk])

    def told() -> str:
        return visible_text(LexborHTMLParser(client.get(page).content.decode()).css_first("main"))

    label_of(client, only, "fail")
    assert "agrees with people on 1 of 1 labelled results" in told()
    label_of(client, one, "pass")
    assert "on 1 of 1 labelled results" in told(), "a second label would say that the judge disagrees with it"
    label_of(client, two, "fail")
    assert "on 2 of 3 labelled results" in told()


def test_a_case_that_is_judged_while_its_page_is_made_is_hidden(
    enter: Enter, returns_article: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, hidden_cases = judged_run(1, 0), run_pages.hidden_cases

    def meanwhile(request: Any, shown: Run) -> Any:
        hidden = hidden_cases(request, shown)
        judge(run, 0)
        return hidden

    monkeypatch.setattr(run_pages, "hidden_cases", meanwhile)
    page = enter("supervisor").get(reverse("admin:evals_run_change", args=[run.pk])).content.decode()
    assert "rude" not in page and "Hidden" in page


@pytest.mark.long
def test_a_label_sent_while_the_verdicts_are_shown_waits_and_is_refused(enter: Enter, returns_article: Article) -> None:
    """The verdicts are shown in one tab while the label is sent from another."""
    run = judged_run(1, 1)
    client, [result] = enter("supervisor"), Result.objects.filter(run=run)
    person_id = User.objects.get(username__startswith="supervisor").pk
    with ThreadPoolExecutor(1) as other_tab:
        with transaction.atomic():
            human_labels.show_verdicts(run.pk, person_id)
            sent = other_tab.submit(label_in_thread, client, result)
            assert not wait([sent], timeout=1).done, "the label waits for the lock on the run"
        assert "Not saved" in sent.result(timeout=PATIENCE_SECONDS)
    assert not Label.objects.exists()


def label_in_thread(client: Client, result: Result) -> str:
    """Label a result in a thread with its own database connection."""
    try:
        return label_of(client, result, "pass")
    finally:
        connection.close()
