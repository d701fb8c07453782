"""The gates refuse an article whose publication would break a case that must pass."""

from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser

from actions.models import AuditEntry
from kb.indexing.index import sync_articles
from kb.models import Article
from kb.services import Change, create_article, publish
from supportbot.accounts.models import Workspace
from supportbot.evals.models import Suite
from supportbot.evals.reading import read_suite
from supportbot.evals.services import save_suite
from supportbot.releases.models import ReleaseGates
from tests.console.conftest import Enter

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


def test_publishing_a_wrong_figure_is_refused_and_takes_a_right_and_a_reason(enter: Enter, returns: Article) -> None:
    save_suite(read_suite(CASES, file="cases.yaml"))
    editor, page = enter("editor"), f"/admin/kb/article/{returns.pk}/"
    assert editor.post(f"{page}change/", form(RETURNS.replace("60", "50"))).status_code == 302  # no gate is named
    assert editor.post(f"{page}change/", form(RETURNS)).status_code == 302
    sync_articles([returns.pk])
    name_gates("promises")
    harmless, wrong = RETURNS.replace("is free", "costs nothing"), RETURNS.replace("60", "14")
    assert editor.post(f"{page}change/", form(harmless)).status_code == 302
    assert live_number(returns) == 4
    refused = editor.post(f"{page}change/", form(wrong))
    shown = LexborHTMLParser(refused.content.decode())
    told = [row.text() for row in shown.css("details.trail")]
    assert refused.status_code == 409 and live_number(returns) == 4
    assert len(told) == 1 and "promises: window" in told[0] and "60 days" in told[0] and "14 days" in told[0]
    assert not shown.css("#override") and shown.css("button[form=editor][value=check]")
    [kept] = shown.css("textarea[name=body]")
    assert "14 days" in kept.text()
    assert editor.post(f"{page}change/", form(wrong, override="It is so now")).status_code == 403
    assert editor.post(f"{page}change/", form(wrong, do="save")).status_code == 302
    checked = editor.post(f"{page}publish/", {"revision": "5"})
    assert checked.status_code == 409 and b"promises: window" in checked.content and live_number(returns) == 4
    ticked = {"action": "publish_ticked", "_selected_action": [str(returns.pk)]}
    assert "Returns" in editor.post("/admin/kb/article/", ticked, follow=True).content.decode()
    assert live_number(returns) == 4 and not AuditEntry.objects.filter(event__contains="against_gates").exists()
    admin = enter("admin")
    again = LexborHTMLParser(admin.post(f"{page}publish/", {"revision": "5"}).content.decode())
    assert again.css("#override[form=publish]")
    assert admin.post(f"{page}publish/", {"revision": "5", "override": "It is so now"}).status_code == 302
    entry = AuditEntry.objects.get(event="article.published_against_gates")
    assert live_number(returns) == 5 and entry.payload["override"] == "It is so now"


def test_other_readers_are_a_change_for_customers(enter: Enter, returns: Article) -> None:
    save_suite(read_suite(CASES, file="cases.yaml"))
    name_gates("promises")
    editor, page = enter("editor"), f"/admin/kb/article/{returns.pk}/change/"
    refused = editor.post(page, form(RETURNS, do="save", audience="internal"))
    assert refused.status_code == 409 and b"promises: window" in refused.content
    assert Article.objects.get(pk=returns.pk).audience == "public"
    assert editor.post(page, form(RETURNS, do="save", category="Shop")).status_code == 302


def test_archiving_an_article_that_a_gate_needs_and_a_gate_that_is_gone(enter: Enter, returns: Article) -> None:
    save_suite(read_suite(CASES, file="cases.yaml"))
    name_gates("promises")
    admin, page = enter("admin"), f"/admin/kb/article/{returns.pk}/change/"
    refused = admin.post(page, {"do": "archive"})
    assert refused.status_code == 409 and b"promises: window" in refused.content
    assert b"within 60 days" in refused.content and Article.objects.get(pk=returns.pk).is_live
    Suite.objects.all().delete()
    gone = admin.post(page, form(RETURNS.replace("60", "14")))
    assert gone.status_code == 409 and b"do not exist: promises" in gone.content
    assert live_number(returns) == 1
    name_gates()
    assert admin.post(page, {"do": "archive"}).status_code == 302
    assert not Article.objects.get(pk=returns.pk).is_live
