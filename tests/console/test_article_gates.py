"""An article whose publication would break a case that must pass does not pass the gates."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import localtime, now
from selectolax.lexbor import LexborHTMLParser

from actions.models import AuditEntry
from kb.indexing.sync import sync_articles
from kb.models import Article, Phrasing, Revision
from kb.phrasings import embed_phrasings, phrasings_of, set_phrasings
from kb.ports import Verdict
from kb.services import Change, create_article, publish, save_draft
from supportbot.accounts.models import Workspace
from supportbot.console.articles import gate_check
from supportbot.evals.articles import article_gates
from supportbot.evals.models import Suite
from supportbot.evals.services import save_suite
from supportbot.evals.suite_formats.files import read_suite
from supportbot.releases.models import ReleaseGates
from tests.console.conftest import Enter
from tests.pages import visible_text
from tests.rest import service
from tests.stored_rows import created_once

pytestmark = pytest.mark.django_db
RETURNS = "## Returns\n\nYou can return unused items within 60 days of delivery. The label is free.\n"
CASES = b"""
suite: promises
cases:
  - id: window
    must: true
    ask: How many days do I have to return unused items?
    expect: {source: returns, figures: 60 days}
  - id: never-held
    must: true
    ask: How many days do I have to return unused items?
    expect: {source: returns, figures: 90 days}
  - id: wish
    ask: How many days do I have to return unused items?
    expect: {source: returns, figures: 60 days}
"""


@pytest.fixture
def returns(workspace: Workspace) -> Article:
    return created_once("article with gates", workspace, write_returns)


def write_returns() -> Article:
    article = create_article(Change(title="Returns", body=RETURNS, locale="en"), external_id="returns")
    publish(article.pk)
    sync_articles([article.pk])
    return article


def name_gates(*suites: str) -> None:
    ReleaseGates.objects.update_or_create(defaults={"suites": list(suites)})


def form(body: str, **more: Any) -> dict[str, Any]:
    return {"title": "Returns", "body": body, "locale": "en", "audience": "public", "do": "publish"} | more


def live_number(article: Article) -> int:
    live = Article.objects.get(pk=article.pk).live_revision
    assert live is not None
    return live.number


def test_publishing_a_wrong_figure_is_refused_unless_overridden_with_a_reason(enter: Enter, returns: Article) -> None:
    save_suite(read_suite(CASES, file="cases.yaml"))
    editor, page = enter("editor"), f"/admin/kb/article/{returns.pk}/"
    plain = editor.post(f"{page}change/", form(RETURNS.replace("60", "50")), follow=True)  # there is no gate yet
    assert b"Customers can read it now.</" in plain.content and b"data-waiting=" not in plain.content
    assert editor.post(f"{page}change/", form(RETURNS)).status_code == 302
    sync_articles([returns.pk])
    name_gates("promises")
    harmless, wrong = RETURNS.replace("is free", "costs nothing"), RETURNS.replace("60", "14")
    proven = editor.post(f"{page}change/", form(harmless), follow=True)
    assert b"2 gate cases were run first, and all of them passed." in proven.content
    assert b"data-waiting=" in proven.content and live_number(returns) == 4
    refused = editor.post(f"{page}change/", form(wrong))
    shown = LexborHTMLParser(refused.content.decode())
    told = [visible_text(row, " ") for row in shown.css(".failed")]
    assert refused.status_code == 409 and live_number(returns) == 4
    assert len(told) == 1 and "How many days" in told[0] and "missing “60 days”" in told[0]
    before, after = (visible_text(one, " ") for one in shown.css(".failed .ba > section"))
    assert "As expected" in before and "60 days" in before and "Not as expected" in after and "14 days" in after
    assert not shown.css("#override") and shown.css("button[form=editor][value=check]")
    [kept] = shown.css("textarea[name=body]")
    assert "14 days" in kept.text()
    assert editor.post(f"{page}change/", form(wrong, override="It is so now")).status_code == 403
    assert editor.post(f"{page}change/", form(wrong, do="save")).status_code == 302
    checked = editor.post(f"{page}publish/", {"revision": "5"})
    assert checked.status_code == 409 and b"no longer would be:" in checked.content and live_number(returns) == 4
    ticked = {"action": "publish_ticked", "_selected_action": [str(returns.pk)]}
    assert "Returns" in editor.post("/admin/kb/article/", ticked, follow=True).content.decode()
    assert live_number(returns) == 4 and not AuditEntry.objects.filter(event__contains="against_gates").exists()
    admin = enter("admin")
    again = LexborHTMLParser(admin.post(f"{page}publish/", {"revision": "5"}).content.decode())
    assert again.css("#override[form=publish]") and not shown.css(".failed a")
    assert [link.text(strip=True) for link in again.css(".failed a")] == ["Open the case"]
    assert admin.post(f"{page}publish/", {"revision": "5", "override": "It is so now"}).status_code == 302
    entry = AuditEntry.objects.get(event="article.published_against_gates")
    assert live_number(returns) == 5 and entry.payload["override"] == "It is so now"


@pytest.mark.long
def test_the_list_says_which_articles_the_gates_refuse_and_why_and_publishes_the_rest(
    enter: Enter, hours: Article, returns: Article
) -> None:
    editor, page = enter("editor"), "/admin/kb/article/"
    waits = LexborHTMLParser(editor.get(page).content.decode()).css("button[data-waiting]")
    assert [button.text(strip=True) for button in waits] == ["Apply"]
    for article, body in ((returns, RETURNS.replace("60", "14")), (hours, HOURS.replace("five", "six"))):
        save_draft(article.pk, Change(body=body))
    ticked = {"action": "publish_ticked", "_selected_action": [str(returns.pk), str(hours.pk)]}
    shown = LexborHTMLParser(editor.post(page, ticked, follow=True).content.decode())
    told = [" ".join(one.text().split()) for one in shown.css(".told .notice")]
    assert told == [
        "Not changed: Returns. These questions must be answered correctly, but no longer would be: "
        "“How many days do I have to return unused items?”",
        "Published: 1 article.",
    ]
    assert shown.css_first(".told a").attributes["href"] == f"{page}{returns.pk}/change/"
    assert (live_number(returns), live_number(hours)) == (1, 2)


def test_the_list_leaves_out_articles_that_it_has_no_time_to_test(
    enter: Enter, hours: Article, returns: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supportbot.console.articles.listing.GATES_SECONDS", 0.0)
    save_draft(hours.pk, Change(body=HOURS.replace("five", "six")))
    ticked = {"action": "publish_ticked", "_selected_action": [str(hours.pk)]}
    told = enter("editor").post("/admin/kb/article/", ticked, follow=True).content.decode()
    assert "took too long: Opening hours. Select these again." in told and "Published:" not in told
    assert live_number(hours) == 1


def test_a_change_of_audience_is_tested_by_the_gates(enter: Enter, returns: Article) -> None:
    save_suite(read_suite(CASES, file="cases.yaml"))
    name_gates("promises")
    editor, page = enter("editor"), f"/admin/kb/article/{returns.pk}/change/"
    refused = editor.post(page, form(RETURNS, do="save", audience="internal"))
    assert refused.status_code == 409 and b"no longer would be:" in refused.content
    assert Article.objects.get(pk=returns.pk).audience == "public"
    assert editor.post(page, form(RETURNS, do="save", category="Shop")).status_code == 302


def test_archiving_an_article_that_a_gate_needs_and_a_missing_gate(enter: Enter, returns: Article) -> None:
    save_suite(read_suite(CASES, file="cases.yaml"))
    name_gates("promises")
    admin, page = enter("admin"), f"/admin/kb/article/{returns.pk}/change/"
    refused = admin.post(page, {"do": "archive"})
    assert "cited articles: expected “Returns”, got –" in visible_text(
        LexborHTMLParser(refused.content.decode()).css_first(".failed")
    )
    assert refused.status_code == 409 and b"no longer would be:" in refused.content
    assert b"within 60 days" in refused.content and Article.objects.get(pk=returns.pk).is_live
    Suite.objects.all().delete()
    gone = admin.post(page, form(RETURNS.replace("60", "14")))
    assert gone.status_code == 409 and b"do not exist: promises" in gone.content
    assert live_number(returns) == 1
    name_gates()
    assert admin.post(page, {"do": "archive"}).status_code == 302
    assert not Article.objects.get(pk=returns.pk).is_live


HOURS = "We are here from nine to five."
ASKED = "How many days do I have to return unused items?"
IN_OTHER_WORDS = "Unused items: how many days do I have to return?"


@pytest.fixture
def hours(returns: Article) -> Article:
    article = create_article(Change(title="Opening hours", body=HOURS, locale="en"), external_id="hours")
    publish(article.pk)
    sync_articles([returns.pk, article.pk])
    save_suite(read_suite(CASES, file="cases.yaml"))
    name_gates("promises")
    return article


def as_stored(article: Article) -> tuple[Any, ...]:
    fresh = Article.objects.get(pk=article.pk)
    return fresh.updated_at, fresh.audience, live_number(article), fresh.latest_revision_id, phrasings_of(article)


@pytest.mark.long
@pytest.mark.parametrize("phrasing", [ASKED, IN_OTHER_WORDS])
@pytest.mark.parametrize("do", ["save", "check", "publish"])
def test_questions_that_take_an_answer_from_another_article_are_refused(
    enter: Enter, hours: Article, do: str, phrasing: str
) -> None:
    page, before = f"/admin/kb/article/{hours.pk}/change/", as_stored(hours)
    typed = form(HOURS, title="Opening hours", do=do, phrasings=phrasing)
    editor = enter("editor")
    refused = editor.post(page, typed)
    assert refused.status_code == 409 and b"no longer would be:" in refused.content
    assert as_stored(hours) == before and not Phrasing.objects.exists()
    field = "override" if do == "publish" else "override_change"
    assert editor.post(page, typed | {field: "It is so"}).status_code == 403
    assert as_stored(hours) == before
    harmless = typed | {"phrasings": "When are you open?"}
    assert editor.post(page, harmless).status_code == 302
    assert enter("admin").post(page, typed | {field: "It is so"}).status_code == 302
    entry = AuditEntry.objects.get(event__contains="against_gates")
    assert phrasings_of(hours) == [phrasing] and entry.payload["override"] == "It is so"


@pytest.mark.long
def test_a_new_article_and_a_planned_one_are_tested_with_their_questions(enter: Enter, hours: Article) -> None:
    editor, new = enter("editor"), form(HOURS, title="Hours in winter", phrasings=ASKED)
    later = f"{localtime(now() + timedelta(days=1)):%Y-%m-%dT%H:%M}"
    for typed in (new, new | {"do": "save", "publish_at": later}):
        assert editor.post("/admin/kb/article/add/", typed).status_code == 409
    assert Article.objects.count() == 2 and not Phrasing.objects.exists()
    assert editor.post("/admin/kb/article/add/", new | {"do": "save"}).status_code == 302
    [draft] = Article.objects.exclude(pk=hours.pk).exclude(external_id="returns")
    assert editor.post(f"/admin/kb/article/{draft.pk}/publish/", {"revision": "1"}).status_code == 409


@pytest.mark.long
def test_questions_that_a_case_needs_cannot_be_removed(enter: Enter, hours: Article) -> None:
    needed = CASES.replace(b"unused items", b"the tent").replace(b"source: returns, figures: 60 days", b"source: hours")
    save_suite(read_suite(needed, file="cases.yaml"))
    set_phrasings(hours, ["How many days do I have to return the tent?", "When are you open?"])
    embed_phrasings()
    before, page = as_stored(hours), f"/admin/kb/article/{hours.pk}/change/"
    typed = form(HOURS, title="Opening hours", do="save", phrasings="When are you open?")
    refused = enter("editor").post(page, typed)
    assert refused.status_code == 409 and b"no longer would be:" in refused.content and as_stored(hours) == before


@pytest.mark.long
def test_a_question_of_another_article_is_saved_with_a_warning(enter: Enter, returns: Article) -> None:
    hours = create_article(Change(title="Opening hours", body="We are here from nine to five.", locale="en"))
    publish(hours.pk)
    set_phrasings(hours, ["When are you open?"])
    editor, page = enter("editor"), f"/admin/kb/article/{returns.pk}/change/"
    warning = "“When are you open?” is also answered by “Opening hours”"
    for asked, is_known in (("when are you OPEN", True), ("When are you closed?", False)):
        saved = editor.post(page, form(RETURNS, do="save", phrasings=asked), follow=True)
        assert phrasings_of(returns) == [asked] and (warning in saved.content.decode()) is is_known


@pytest.mark.long
def test_questions_over_rest_are_tested_on_request(workspace: Workspace, hours: Article) -> None:
    program, address = service(workspace, "kb:read", "kb:write"), f"/api/v1/articles/{hours.pk}"
    before = as_stored(hours)
    for phrasing in (ASKED, IN_OTHER_WORDS):
        refused = program.patch(address, {"phrasings": [phrasing], "gate": True}, format="json")
        assert (refused.status_code, refused.json()["code"]) == (409, "gate_refused")
        assert "promises: window" in refused.json()["message"] and as_stored(hours) == before
    saved = program.patch(address, {"phrasings": ["When are you open?"], "gate": True}, format="json")
    assert (saved.status_code, saved.json()["untried"]) == (200, 0)
    assert program.patch(address, {"phrasings": [ASKED]}, format="json").json()["phrasings"] == [ASKED]


@pytest.mark.long
def test_a_draft_is_published_over_rest_only_if_its_questions_pass(workspace: Workspace, hours: Article) -> None:
    program = service(workspace, "kb:read", "kb:write")
    winter = {"title": "Hours in winter", "body": HOURS, "locale": "en", "phrasings": [IN_OTHER_WORDS]}
    new = program.post("/api/v1/articles", winter, format="json").json()
    publication = f"/api/v1/articles/{new['id']}/publish"
    refused = program.post(publication, {"gate": True}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (409, "gate_refused")
    assert "promises: window" in refused.json()["message"]
    [draft] = Article.objects.filter(pk=new["id"])
    assert draft.state == "draft" and Phrasing.objects.get().embedding is None
    harmless = {"phrasings": ["When are you open in winter?"]}
    assert program.patch(f"/api/v1/articles/{draft.pk}", harmless, format="json").status_code == 200
    told = program.post(publication, {"gate": True}, format="json")
    assert (told.status_code, told.json()["untried"], told.json()["state"]) == (200, 0, "live")


@pytest.mark.long
def test_an_article_changed_during_its_test_is_not_saved_over_rest(
    workspace: Workspace, returns: Article, hours: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A colleague changes text, audience or questions while the gates test the article."""
    program, address = service(workspace, "kb:read", "kb:write"), f"/api/v1/articles/{returns.pk}"
    verdict_on = article_gates.verdict_on

    def slowly(*args: Any, **options: Any) -> Verdict:
        verdict = verdict_on(*args, **options)
        save_draft(returns.pk, Change(body=RETURNS.replace("60", f"1{Revision.objects.count()}")))
        return verdict

    monkeypatch.setattr("supportbot.evals.articles.article_gates.verdict_on", slowly)
    save_draft(returns.pk, Change(body=RETURNS.replace("free", "free of charge")))
    refused = program.post(f"{address}/publish", {"gate": True}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (409, "article_changed")
    assert "while the gates were checking it" in refused.json()["message"] and live_number(returns) == 1
    refused = program.patch(address, {"category": "Shop", "gate": True}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (409, "article_changed")
    assert Article.objects.get(pk=returns.pk).category == ""


@pytest.mark.long
@pytest.mark.parametrize("changed", ["readers", "questions"])
def test_a_text_is_not_published_if_its_article_changed_during_its_test(
    workspace: Workspace, enter: Enter, returns: Article, hours: Article, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    """The text passes, but nobody has tested the colleague's changes to the article."""
    save_draft(hours.pk, Change(body=HOURS.replace("five", "six")))
    article = Article.objects.get(pk=hours.pk)
    assert changed == "readers" or not phrasings_of(article)

    def meanwhile() -> None:
        if changed == "readers":
            Article.objects.filter(pk=hours.pk).update(audience="signed_in")
            save_draft(hours.pk, Change(audience="public"))
        else:
            set_phrasings(article, [*phrasings_of(article), IN_OTHER_WORDS])

    def slowly(asked: Any) -> Any:
        def ask(*args: Any, **options: Any) -> Any:
            found = asked(*args, **options)
            meanwhile()
            return found

        return ask

    monkeypatch.setattr("supportbot.evals.articles.article_gates.verdict_on", slowly(article_gates.verdict_on))
    program = service(workspace, "kb:read", "kb:write")
    refused = program.post(f"/api/v1/articles/{hours.pk}/publish", {"gate": True}, format="json")
    assert (refused.status_code, refused.json()["code"], live_number(hours)) == (409, "article_changed", 1)
    monkeypatch.setattr(gate_check, "tried", slowly(gate_check.tried))
    editor, ticked = enter("editor"), {"_selected_action": [str(hours.pk)]}
    for action in ("publish_ticked", "archive_ticked"):
        Phrasing.objects.all().delete()
        told = editor.post("/admin/kb/article/", ticked | {"action": action}, follow=True).content.decode()
        assert "someone else changed them in the meantime: Opening hours" in told
    Phrasing.objects.all().delete()
    checked = editor.post(f"/admin/kb/article/{hours.pk}/publish/", {"revision": "2"})
    assert checked.status_code == 409 and live_number(hours) == 1 and Article.objects.get(pk=hours.pk).is_live


def test_rest_reports_a_test_that_takes_too_long(
    workspace: Workspace, returns: Article, hours: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kb.services.GATE_SECONDS", 0.0)
    save_draft(returns.pk, Change(body=RETURNS.replace("60", "14")))
    program = service(workspace, "kb:read", "kb:write")
    told = program.post(f"/api/v1/articles/{returns.pk}/publish", {"gate": True}, format="json")
    assert (told.status_code, told.json()["untried"]) == (200, 2)


def test_an_article_changed_during_its_test_is_not_saved(
    enter: Enter, hours: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A colleague adds a question while another one is tested."""
    page, tried = f"/admin/kb/article/{hours.pk}/change/", gate_check.tried

    def slowly(*args: Any, **options: Any) -> Any:
        found = tried(*args, **options)
        set_phrasings(hours, ["What are your hours?"])
        return found

    monkeypatch.setattr(gate_check, "tried", slowly)
    refused = enter("editor").post(page, form(HOURS, title="Opening hours", do="save", phrasings="When are you open?"))
    assert refused.status_code == 409 and b"while the gates were checking it" in refused.content
    assert phrasings_of(hours) == ["What are your hours?"]


def test_the_list_publishes_only_texts_that_the_gates_have_tested(
    enter: Enter, returns: Article, hours: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_draft(returns.pk, Change(body=RETURNS.replace("free", "free of charge")))
    passes = gate_check.tried

    def slowly(*args: Any, **options: Any) -> Any:
        found = passes(*args, **options)
        save_draft(returns.pk, Change(body=RETURNS.replace("60", "14")))
        return found

    monkeypatch.setattr(gate_check, "tried", slowly)
    ticked = {"action": "publish_ticked", "_selected_action": [str(returns.pk)]}
    told = enter("editor").post("/admin/kb/article/", ticked, follow=True).content.decode()
    assert "someone else changed them in the meantime: Returns" in told and live_number(returns) == 1
