"""An article that a gate covers: importing it with a different text, and running the checks of changed articles."""

import io
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils.timezone import now

from kb.indexing.sync import sync_articles
from kb.models import Article
from supportbot.accounts.models import Workspace
from supportbot.evals.articles import published_checks
from supportbot.evals.models import ArticleCheck, ChangedArticle
from supportbot.evals.services import save_suite
from supportbot.evals.suite_formats.files import read_suite
from supportbot.outbox.delivery import deliver_due
from supportbot.releases.models import ReleaseGates

RETURNS = "# Returns\n\nYou can return unused items within {days} days of delivery. The label is free.\n"
IN_OTHER_WORDS = "Unused items: how many days do I have to return?"
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
    """A folder with one article that a gate covers; it has not been imported."""
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
    """Announce all changes, and run the check that waits for them."""
    deliver_due()
    waiting = ArticleCheck.objects.get(state="waiting")
    assert published_checks.due_checks() == []  # another change may still join the check
    ArticleCheck.objects.update(lease_until=now())
    sync_articles(published_checks.checked_articles(waiting))
    assert published_checks.due_checks() == [(waiting.workspace_pk, waiting.pk)]
    published_checks.run_check(waiting.pk)
    published_checks.run_check(waiting.pk)  # a message that is delivered twice
    assert not ChangedArticle.objects.exists()
    waiting.refresh_from_db()
    assert (waiting.state, waiting.problem) == ("done", "")
    return waiting


def curated(folder: Path, question: str) -> Path:
    (folder / "hours.md").write_text(
        f"---\nphrasings: ['{question}']\n---\n# Opening hours\n\nWe are here from nine to five.\n"
    )
    return folder


def due(folder: Path, days: int) -> ArticleCheck:
    """Import a text and return its check, which is due."""
    sync_articles([imported(written(folder, days)).pk])
    deliver_due()
    ArticleCheck.objects.exclude(state="done").update(lease_until=now())
    return ArticleCheck.objects.get(state="waiting")


def again_due(check: ArticleCheck) -> None:
    """Let the lease of a check run out."""
    ArticleCheck.objects.filter(pk=check.pk).update(lease_until=now())
