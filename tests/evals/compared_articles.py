"""An article that was imported long ago and customers' questions about it, for comparing the answers before and after a
change.
"""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils.timezone import now

from kb.indexing.sync import sync_articles
from kb.models import Article
from supportbot.accounts.models import Customer, Workspace
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.evals.articles import draft_checks, published_checks
from supportbot.evals.models import ArticleCheck, ChangedArticle, DraftCheck
from supportbot.outbox.delivery import deliver_due
from tests.evals.checked_articles import imported, written

DAYS = "How many days do I have to return unused items?"
CARDS = "Do you sell gift cards?"
GIFT_CARDS = "# Gift cards\n\nWe sell gift cards of 20 to 200 euros.\n"


@pytest.fixture(autouse=True)
def questions(alice: Customer) -> None:
    for question in (DAYS, CARDS, "Thanks!"):
        add_customer_message(start_conversation(alice.pk).pk, text=question, client_id="c1")


@pytest.fixture
def folder(tmp_path: Path, workspace: Workspace) -> Path:
    """A folder with an article that was imported long ago; the workspace has no gates."""
    imported(written(tmp_path, 60))
    settled()
    return tmp_path


def settled() -> None:
    """Delete all checks and comparisons, as if the articles had been published yesterday."""
    sync_articles(list(Article.objects.values_list("pk", flat=True)))
    deliver_due()
    for model in (ArticleCheck, ChangedArticle, DraftCheck):
        model.objects.all().delete()
    Article.objects.update(published_at=now() - timedelta(days=1))


def begun() -> DraftCheck | None:
    """Announce the changes and run their check; return the comparison that it starts."""
    sync_articles(list(Article.objects.filter(state="live").values_list("pk", flat=True)))
    deliver_due()
    ArticleCheck.objects.exclude(state="done").update(lease_until=now() - timedelta(minutes=1))
    for _, check_id in published_checks.due_checks():
        published_checks.run_check(check_id)
        published_checks.run_check(check_id)  # a message that comes twice
    check = ArticleCheck.objects.order_by("-created_at")[0]
    assert check.state == "done"
    return DraftCheck.objects.filter(pk=check.comparison).first() if check.comparison else None


def compared() -> DraftCheck:
    check = begun()
    assert check is not None
    run_due()
    check.refresh_from_db()
    assert (check.state, check.problem) == ("done", "")
    return check


def run_due() -> None:
    for _, check_id in draft_checks.due_drafts():
        draft_checks.run_draft_check(check_id)


def outcomes(check: DraftCheck) -> dict[str, str]:
    return {row["question"]: row["outcome"] for row in check.rows}
