"""Owner, the date of the next check, and reviews requested from another person."""

from datetime import timedelta

import pytest
from django.utils.timezone import localdate

from kb.models import Article, State
from supportbot.accounts.models import User, Workspace
from tests.console.conftest import Enter, logged_in, person
from tests.console.test_article_gates import RETURNS, form, returns

__all__ = ["returns"]
pytestmark = pytest.mark.django_db


@pytest.mark.long
def test_a_stale_article_is_listed_and_its_reviewer_finds_it(
    enter: Enter, workspace: Workspace, other_workspace: Workspace, returns: Article
) -> None:
    editor, page, list_page = enter("editor"), f"/admin/kb/article/{returns.pk}/change/", "/admin/kb/article/"
    hanna, stranger = person(workspace, "editor", "hanna"), person(other_workspace, "editor", "mallory")
    overdue = localdate() - timedelta(days=1)
    care = {"owner": str(hanna.pk), "reviewer": str(hanna.pk), "check_by": overdue.isoformat()}
    for wrong in ({"owner": str(stranger.pk)}, {"reviewer": "nobody"}, {"check_by": "soon"}):
        assert editor.post(page, form(RETURNS, do="save", **care | wrong)).status_code == 400
    agent = person(workspace, "agent", "ines")
    assert editor.post(page, form(RETURNS, do="save", **care | {"owner": str(agent.pk)})).status_code == 400

    assert editor.post(page, form(RETURNS, do="save", **care)).status_code == 302
    asker = User.objects.get(username=f"editor.of.{workspace.slug}")
    stored = Article.objects.get(pk=returns.pk)
    assert (stored.owner, stored.reviewer, stored.review_asked_by) == (hanna, hanna, asker)
    listed = str(returns.pk)
    assert listed in editor.get(f"{list_page}?state=stale").content.decode()
    assert listed not in editor.get(f"{list_page}?state=review").content.decode()
    reviewer = logged_in(hanna)
    seen = reviewer.get(f"{list_page}?state=review").content.decode()
    assert listed in seen and "Review: hanna" in seen and "to review" in seen

    later = care | {"check_by": (overdue + timedelta(days=9)).isoformat()}
    changed = form(RETURNS + "\nAsk us.\n", do="save", **later)
    assert reviewer.post(page, changed).status_code == 302
    assert Article.objects.get(pk=returns.pk).review_asked_by == asker, (
        "the review is still requested by the same person"
    )
    assert listed not in editor.get(f"{list_page}?state=stale").content.decode()
    assert reviewer.post(page, changed | {"do": "publish"}).status_code == 302
    stored = Article.objects.get(pk=returns.pk)
    assert stored.state == State.LIVE and stored.reviewer is None and stored.owner == hanna
    assert listed not in reviewer.get(f"{list_page}?state=review").content.decode()
