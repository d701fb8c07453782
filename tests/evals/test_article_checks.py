"""What is published without asking the gates is checked and reported; with `--gate` or `gate` it is refused instead."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils.timezone import now

from kb.indexing.index import sync_articles
from kb.models import Article
from kb.services import Change, save_draft
from supportbot.accounts.models import Workspace
from supportbot.evals.articles import checks
from supportbot.evals.models import ArticleCheck, Suite
from supportbot.evals.reading import read_suite
from supportbot.evals.services import save_suite
from supportbot.outbox.services import deliver_due
from supportbot.releases.models import ReleaseGates
from tests.console.conftest import Enter, enter
from tests.kb.source_commands import add, again, reasons
from tests.rest import service

__all__ = ["enter"]  # a fixture
pytestmark = pytest.mark.django_db
RETURNS = "# Returns\n\nYou can return unused items within {days} days of delivery. The label is free.\n"
CASES = b"""
suite: promises
cases:
  - id: window
    must: true
    ask: How many days do I have to return unused items?
    expect: {source: returns.md, figures: 60 days}
"""


@pytest.fixture
def folder(tmp_path: Path, workspace: Workspace) -> Path:
    """A folder with one article that a gate is about; it has not been imported."""
    save_suite(read_suite(CASES, file="cases.yaml"))
    ReleaseGates.objects.create(suites=["promises"])
    return written(tmp_path, 60)


def written(folder: Path, days: int) -> Path:
    (folder / "returns.md").write_text(RETURNS.format(days=days))
    return folder


def imported(folder: Path, *options: str) -> Article:
    call_command("kb_import", str(folder), *options, stdout=io.StringIO(), stderr=io.StringIO())
    return Article.objects.get(external_id="returns.md")


def words(article: Article) -> str:
    live = Article.objects.get(pk=article.pk).live_revision
    assert live is not None
    return str(live.body)


def checked() -> ArticleCheck:
    """Tell of all changes, and play the check that waits for them."""
    deliver_due()
    waiting = ArticleCheck.objects.get(state="waiting")
    assert checks.due_checks() == []  # something may still change
    ArticleCheck.objects.update(lease_until=now())
    sync_articles(waiting.articles)
    assert checks.due_checks() == [(waiting.workspace_pk, waiting.pk)]
    checks.play_check(waiting.pk)
    checks.play_check(waiting.pk)  # a message that comes twice
    waiting.refresh_from_db()
    assert (waiting.state, waiting.problem) == ("done", "")
    return waiting


def test_what_an_import_breaks_is_reported_until_it_is_mended(workspace: Workspace, folder: Path, enter: Enter) -> None:
    article, editor = imported(folder), enter("editor")
    assert checked().failures == []
    imported(written(folder, 14))
    broken = checked()
    assert broken.articles == [article.pk]
    [found] = broken.failures
    assert found["case"] == "promises: window" and "60 days" in found["before"] and "14 days" in found["after"]
    assert "14 days" in words(article)  # a check takes nothing back
    listed = service(workspace, "kb:read").get(f"/api/v1/article-checks?article={article.pk}").json()
    assert [len(one["failures"]) for one in listed["results"]] == [1, 0]
    page = editor.get("/admin/improve/?kind=broken").content.decode()
    assert "promises: window" in page and "within 14 days" in page
    imported(written(folder, 60))
    assert checked().failures == []
    assert "promises: window" not in editor.get("/admin/improve/?kind=broken").content.decode()
    Suite.objects.all().delete()
    imported(written(folder, 30))
    deliver_due()
    ArticleCheck.objects.update(lease_until=now())
    checks.play_check(ArticleCheck.objects.get(state="waiting").pk)
    assert "do not exist: promises" in checks.checks()[0].problem


def test_a_gate_refuses_an_import_a_sync_and_a_publication_over_rest(workspace: Workspace, folder: Path) -> None:
    article = imported(folder, "--gate")
    with pytest.raises(CommandError, match="promises: window"):
        imported(written(folder, 14), "--gate")
    assert "60 days" in words(article) and Article.objects.count() == 1
    save_draft(article.pk, Change(body=RETURNS.format(days=14)))
    client = service(workspace, "kb:read", "kb:write")
    refused = client.post(f"/api/v1/articles/{article.pk}/publish", {"gate": True}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (409, "gate_refused")
    assert "promises: window" in refused.json()["message"] and "60 days" in words(article)
    assert client.post(f"/api/v1/articles/{article.pk}/publish", {"gate": "maybe"}, format="json").status_code == 400
    assert client.post(f"/api/v1/articles/{article.pk}/publish", {}, format="json").status_code == 200
    assert "14 days" in words(article)


def test_a_source_keeps_what_the_gates_refuse(folder: Path, enter: Enter) -> None:
    add(folder)
    article = Article.objects.get(external_id="returns.md")
    written(folder, 14)
    (folder / "hours.md").write_text("# Opening hours\n\nWe are here from nine to five.\n")
    told = again("--gate")
    assert (told["new"], told["changed"], told["broken"]) == (1, 0, 1)
    assert "promises: window" in reasons(told)["returns.md"] and "60 days" in words(article)
    assert again()["changed"] == 1 and "14 days" in words(article)
    checked()
    page = enter("editor").get(f"/admin/kb/source/{article.source_item.source_id}/change/").content.decode()
    assert "Checked with the gates" in page and "promises: window" in page
