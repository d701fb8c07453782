"""Scheduled publishing and archiving, and unsaved text."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils.timezone import localtime, now
from selectolax.lexbor import LexborHTMLParser

from actions.models import AuditEntry
from kb.collections import set_writers
from kb.models import Article, Plan, State, Unsaved
from kb.phrasings import set_phrasings
from kb.scheduling import note_problem
from kb.services import Change, publish, save_draft
from supportbot.accounts.api_keys import issue_api_key, revoke_api_key
from supportbot.accounts.models import ApiKey, Membership, Workspace
from supportbot.console.articles import due_plans
from supportbot.console.tasks import carry_out_plans
from supportbot.evals.services import save_suite
from supportbot.evals.suite_formats.files import read_suite
from supportbot.ids import uuid7
from tests.console.conftest import Enter, person
from tests.console.test_article_gates import CASES, RETURNS, form, live_number, name_gates, returns
from tests.pages import visible_text
from tests.rest import caller, service

__all__ = ["returns"]
pytestmark = pytest.mark.django_db


def at(**after: int) -> str:
    return f"{localtime(now() + timedelta(**after)):%Y-%m-%dT%H:%M}"


def comes_due(**which: Any) -> None:
    Plan.objects.filter(**which).update(at=now() - timedelta(seconds=1))


NEW = RETURNS.replace("60", "70")


def test_a_plan_waits_for_its_time_and_a_newer_draft_prevents_it(enter: Enter, returns: Article) -> None:
    editor, page, later = enter("editor"), f"/admin/kb/article/{returns.pk}/change/", at(days=1)
    for wrong in (
        {"publish_at": at(days=-1)},
        {"publish_at": "soon"},
        {"publish_at": later, "archive_at": at(hours=1)},
    ):
        assert editor.post(page, form(NEW, do="save", **wrong)).status_code == 400
    assert Article.objects.get(pk=returns.pk).latest_revision == returns.latest_revision, "nothing was saved"
    assert editor.post(page, form(NEW, do="save", publish_at=later, archive_at=at(days=9))).status_code == 302
    assert [plan.revision for plan in Plan.objects.all()] == [2, 2]
    shown = LexborHTMLParser(editor.get(page).content.decode())
    [field] = shown.css("#publish_at")
    assert field.attributes["value"] == later
    assert "Will be published" in editor.get("/admin/kb/article/?state=planned").content.decode()
    carry_out_plans()
    assert live_number(returns) == 1

    save_draft(returns.pk, Change(body=NEW.replace("70", "7")))
    comes_due(step="publish")
    carry_out_plans()
    assert live_number(returns) == 1
    assert "A newer draft was saved" in editor.get(page).content.decode()
    assert editor.post(page, form(NEW, do="save", publish_at=later, archive_at=at(days=9))).status_code == 302
    comes_due(step="publish")
    carry_out_plans()
    assert live_number(returns) == 4 and not Plan.objects.filter(step="publish").exists()


@pytest.mark.long
def test_a_gate_prevents_a_plan_unless_it_was_overridden(enter: Enter, returns: Article) -> None:
    editor, page, later = enter("editor"), f"/admin/kb/article/{returns.pk}/change/", at(days=1)
    save_draft(returns.pk, Change(body=NEW))
    publish(returns.pk)
    assert editor.post(page, form(NEW, do="save", archive_at=at(days=9))).status_code == 302
    save_suite(read_suite(CASES.replace(b"60 days", b"70 days"), file="cases.yaml"))
    name_gates("promises")
    comes_due(step="archive")
    carry_out_plans()
    assert Article.objects.get(pk=returns.pk).is_live
    assert "no longer would be: “" in Plan.objects.get(step="archive").problem
    assert editor.post(page, form(RETURNS, do="save", publish_at=later)).status_code == 409, (
        "the gates are asked when a plan is made"
    )
    admin = enter("admin")
    assert admin.post(page, form(RETURNS, do="save", publish_at=later, override="It is so")).status_code == 302
    assert AuditEntry.objects.get(event="article.planned_against_gates").payload["override"] == "It is so"
    comes_due(step="publish")
    carry_out_plans()
    assert live_number(returns) == 3
    name_gates()
    assert editor.post(page, form(RETURNS, do="save", archive_at=at(days=1))).status_code == 302
    comes_due(step="archive")
    carry_out_plans()
    carry_out_plans()
    assert Article.objects.get(pk=returns.pk).state == State.ARCHIVED and not Plan.objects.exists()


@pytest.mark.long
def test_a_reason_for_publishing_does_not_cover_archiving(enter: Enter, returns: Article) -> None:
    save_suite(read_suite(CASES, file="cases.yaml"))
    name_gates("promises")
    admin, page, later = enter("admin"), f"/admin/kb/article/{returns.pk}/change/", at(days=1)
    wrong = form(RETURNS.replace("60", "14"), archive_at=later)
    # A case that passes today is broken by the text, and again by archiving it.
    refused = LexborHTMLParser(admin.post(page, wrong).content.decode())
    assert refused.css("#override")[0].attributes["name"] == "override"
    again = admin.post(page, wrong | {"override": "The law has changed"})
    shown = LexborHTMLParser(again.content.decode())
    assert again.status_code == 409 and live_number(returns) == 1
    assert not Plan.objects.exists() and not AuditEntry.objects.filter(event__contains="against_gates").exists()
    assert shown.css("#override")[0].attributes["name"] == "override_archive"
    [kept] = shown.css("input[type=hidden][name=override]")
    assert kept.attributes["value"] == "The law has changed"
    both = {"override": "The law has changed", "override_archive": "It is only for today"}
    assert admin.post(page, wrong | both).status_code == 302
    assert live_number(returns) == 2
    assert Plan.objects.get().override == "It is only for today"
    told = dict(AuditEntry.objects.filter(event__contains="against_gates").values_list("event", "payload__override"))
    assert told == {
        "article.published_against_gates": "The law has changed",
        "article.planned_against_gates": "It is only for today",
    }


@pytest.mark.parametrize("lost", ["role", "membership", "account", "collection"])
def test_a_plan_ends_if_its_author_has_lost_the_right(
    enter: Enter, returns: Article, workspace: Workspace, lost: str
) -> None:
    editor, page = enter("editor"), f"/admin/kb/article/{returns.pk}/change/"
    planned = form(RETURNS.replace("60", "70"), do="save", publish_at=at(days=1), archive_at=at(days=2))
    assert editor.post(page, planned).status_code == 302
    planner = Plan.objects.all()[0].person
    assert planner is not None
    match lost:
        case "role":
            Membership.objects.filter(user=planner).update(role="agent")
        case "membership":
            Membership.objects.filter(user=planner).delete()
        case "account":
            planner.delete()
        case "collection":
            set_writers(returns.collection, [person(workspace, "editor", "other")])
    comes_due()
    carry_out_plans()
    assert live_number(returns) == 1 and Article.objects.get(pk=returns.pk).is_live
    reason = "Only selected writers" if lost == "collection" else "no longer allowed to write"
    assert all(reason in plan.problem for plan in Plan.objects.all()) and Plan.objects.count() == 2
    shown = visible_text(LexborHTMLParser(enter("admin").get(page).content.decode()).css_first("main"), " ")
    assert reason in shown and "Not published on schedule" in shown


@pytest.mark.parametrize("lost", ["revoked", "expired", "scope", "deleted"])
@pytest.mark.parametrize("has_person", [False, True], ids=["a program's", "a person's"])
def test_a_plan_ends_with_the_api_key_that_made_it(
    workspace: Workspace, returns: Article, lost: str, has_person: bool
) -> None:
    owner = person(workspace, "editor", "owner") if has_person else None
    made = issue_api_key(workspace, "cms", scopes=["kb:read", "kb:write"], user=owner)
    program = caller(made.plain)
    address = f"/api/v1/articles/{returns.pk}/plans"
    save_draft(returns.pk, Change(body=RETURNS.replace("60", "70")))
    for step in ("publish", "archive"):
        told = program.put(f"{address}/{step}", {"at": now() + timedelta(days=1)}, format="json")
        assert told.status_code == 200, told.json()
    key = ApiKey.objects.filter(pk=made.row.pk)
    match lost:
        case "revoked":
            revoke_api_key(made.row.prefix)
        case "expired":
            key.update(expires_at=now())
        case "scope":
            key.update(scopes=["kb:read"])
        case "deleted":
            key.delete()
    comes_due()
    carry_out_plans()
    article = Article.objects.get(pk=returns.pk)
    assert live_number(returns) == 1 and article.is_live
    assert ["The API key that scheduled this" in plan.problem for plan in Plan.objects.all()] == [True, True]


def test_a_plan_of_a_live_api_key_is_carried_out(workspace: Workspace, returns: Article) -> None:
    program = service(workspace, "kb:read", "kb:write")
    save_draft(returns.pk, Change(body=RETURNS.replace("60", "70")))
    told = program.put(f"/api/v1/articles/{returns.pk}/plans/publish", {"at": now() + timedelta(days=1)}, format="json")
    assert told.status_code == 200
    comes_due()
    carry_out_plans()
    assert live_number(returns) == 2 and not Plan.objects.exists()


def test_a_planned_archiving_keeps_its_reason_when_the_text_is_saved_again(enter: Enter, returns: Article) -> None:
    save_suite(read_suite(CASES, file="cases.yaml"))
    name_gates("promises")
    admin, page = enter("admin"), f"/admin/kb/article/{returns.pk}/change/"
    planned = form(RETURNS, do="save", archive_at=at(days=1))
    assert admin.post(page, planned | {"override_archive": "The offer ends"}).status_code == 302
    harmless = planned | {"body": RETURNS.replace("is free", "costs nothing")}
    assert admin.post(page, harmless).status_code == 302
    assert Plan.objects.get().override == "The offer ends"
    comes_due()
    carry_out_plans()
    assert Article.objects.get(pk=returns.pk).state == "archived"


@pytest.mark.long
def test_a_plan_is_retried_if_the_article_changes_during_its_test(
    workspace: Workspace, enter: Enter, returns: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_suite(read_suite(CASES, file="cases.yaml"))
    name_gates("promises")
    page = f"/admin/kb/article/{returns.pk}/change/"
    harmless = form(RETURNS.replace("is free", "costs nothing"), do="save", publish_at=at(days=1))
    assert enter("editor").post(page, harmless).status_code == 302
    comes_due()
    asked, changes = due_plans.tried, iter(["Within 60 days of what?"])

    def slowly(*args: Any, **options: Any) -> Any:
        found = asked(*args, **options)
        set_phrasings(returns, [*changes])
        return found

    monkeypatch.setattr(due_plans, "tried", slowly)
    carry_out_plans()
    assert live_number(returns) == 1 and Plan.objects.get().problem == ""
    monkeypatch.setattr(due_plans, "tried", asked)
    cache.clear()  # the worker has used up its turn
    carry_out_plans()
    assert live_number(returns) == 2 and not Plan.objects.exists()


def test_a_lost_right_to_override_ends_a_plan_against_the_gates(enter: Enter, returns: Article) -> None:
    save_suite(read_suite(CASES, file="cases.yaml"))
    name_gates("promises")
    admin, page = enter("admin"), f"/admin/kb/article/{returns.pk}/change/"
    wrong = form(RETURNS.replace("60", "14"), do="save", publish_at=at(days=1), override="It is so")
    assert admin.post(page, wrong).status_code == 302
    Membership.objects.filter(user=Plan.objects.get().person).update(role="editor")
    comes_due()
    carry_out_plans()
    assert live_number(returns) == 1 and "no longer allowed to override the gates" in Plan.objects.get().problem


def test_one_worker_tests_a_plan_and_its_refusal_does_not_stop_a_newer_plan(
    enter: Enter, returns: Article, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert enter("editor").post(
        f"/admin/kb/article/{returns.pk}/change/", form(RETURNS.replace("60", "70"), do="save", publish_at=at(days=1))
    )
    comes_due()
    tries: list[Plan] = []

    def fails(plan: Plan) -> None:
        tries.append(plan)
        raise ZeroDivisionError

    monkeypatch.setattr("supportbot.console.articles.due_plans._carry_out_or_note_refusal", fails)
    carry_out_plans()
    carry_out_plans()
    assert len(tries) == 1 and not Plan.objects.get().problem
    Plan.objects.update(at=now() - timedelta(hours=2))
    note_problem(tries[0], "of the former time")
    assert not Plan.objects.get().problem
    carry_out_plans()
    assert Plan.objects.get().problem and len(tries) == 2
    assert "was not carried out" in caplog.text


@pytest.mark.long
def test_unsaved_text_is_stored_for_its_writer_only_until_it_is_saved(enter: Enter, returns: Article) -> None:
    editor, page = enter("editor"), f"/admin/kb/article/{returns.pk}"
    typed = form("Half a thought", based_on=1) | {"do": ""}
    assert editor.post(f"{page}/autosave/", typed).json() == {"kept": True}
    assert editor.post("/admin/kb/article/autosave/", form("A new one")).json() == {"kept": True}
    assert editor.post(f"{page}/autosave/", form("NUL \0")).status_code == 400
    gone = editor.post(f"/admin/kb/article/{uuid7()}/autosave/", typed)
    assert gone.status_code == 404 and "kept in this browser" in gone.json()["message"]
    [kept] = LexborHTMLParser(editor.get(f"{page}/change/").content.decode()).css("#unsaved")
    assert "Half a thought" in kept.text()
    assert not LexborHTMLParser(enter("admin").get(f"{page}/change/").content.decode()).css("#unsaved")
    assert enter("agent").post(f"{page}/autosave/", typed).status_code == 403
    assert (
        live_number(returns) == 1
        and Article.objects.get(pk=returns.pk).latest_revision_id == returns.latest_revision_id
    )
    assert editor.post(f"{page}/change/", typed | {"do": "save"}).status_code == 302
    assert [row.article_id for row in Unsaved.objects.all()] == [None], "the new one is still being written"
