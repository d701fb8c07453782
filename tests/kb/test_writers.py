"""Collections with named writers in the console, over REST and by import; refusals change nothing."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from kb.access import check_may_write, restricted_collections
from kb.collections import set_writers, writers_of
from kb.models import Article, Collection, Revision
from kb.services import Change, create_article, publish
from supportbot.accounts.api_keys import issue_api_key
from supportbot.accounts.models import User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.team_members import add_member
from supportbot.errors import NotAllowed

pytestmark = pytest.mark.django_db


def person(workspace: Workspace, name: str, role: str = "editor", **more: Any) -> User:
    user = User.objects.create_user(name, password="correct horse", is_staff=True, **more)
    add_member(workspace, user, role)
    return user


@pytest.fixture
def hanna(workspace: Workspace) -> User:
    return person(workspace, "hanna")


@pytest.fixture
def tariq(workspace: Workspace) -> User:
    return person(workspace, "tariq", is_superuser=True)


@pytest.fixture
def goodwill(workspace: Workspace, hanna: User) -> Collection:
    shelf: Collection = Collection.objects.create(slug="goodwill", name="Goodwill")
    set_writers(shelf, [hanna])
    return shelf


@pytest.fixture
def article(goodwill: Collection) -> Article:
    made = create_article(Change(title="Vouchers", body="Ten euros.\n", collection=goodwill), external_id="vouchers")
    return publish(made.pk)


def test_a_collection_is_open_until_it_has_writers(workspace: Workspace, hanna: User, tariq: User) -> None:
    shelf = Collection.objects.create(slug="s", name="Section")
    assert restricted_collections(tariq) == restricted_collections(None) == frozenset()
    set_writers(shelf, [hanna])
    assert writers_of(shelf) == [hanna]
    assert restricted_collections(hanna) == frozenset()
    assert restricted_collections(tariq) == restricted_collections(None) == {shelf.pk}
    assert restricted_collections(person(workspace, "boss", "admin")) == frozenset()
    with pytest.raises(NotAllowed, match="collection Section"):
        check_may_write(tariq, None, shelf)
    set_writers(shelf, [])
    assert restricted_collections(tariq) == frozenset()


def test_another_workspaces_collections_do_not_count(goodwill: Collection, other_workspace: Workspace) -> None:
    assert restricted_collections(None) == {goodwill.pk}
    with workspace_scope(other_workspace.pk):
        assert restricted_collections(None) == frozenset()


@pytest.mark.parametrize("name", ["tariq", None])
def test_only_named_writers_write_over_rest(
    workspace: Workspace, article: Article, tariq: User, name: str | None
) -> None:
    key = issue_api_key(workspace, "k", scopes=["kb:read", "kb:write"], user=tariq if name else None).plain
    client, token = Client(), {"Authorization": f"Bearer {key}"}
    base = f"/api/v1/articles/{article.pk}"
    asked = [
        client.patch(base, {"body": "Mine.\n"}, "application/json", headers=token),
        client.post(f"{base}/archive", headers=token),
        client.post(f"{base}/publish", headers=token),
        client.post(
            "/api/v1/articles",
            {"title": "T", "body": "B", "collection": str(article.collection_id)},
            "application/json",
            headers=token,
        ),
    ]
    assert [answer.status_code for answer in asked] == [403] * 4
    assert "Goodwill" in asked[0].json()["message"]
    article.refresh_from_db()
    assert (article.state, Revision.objects.count(), Article.objects.count()) == ("live", 1, 1)


@pytest.mark.long
def test_only_named_writers_write_in_the_console(article: Article, hanna: User, tariq: User) -> None:
    address = f"/admin/kb/article/{article.pk}/"
    typed = {"title": "Vouchers", "body": "Mine.\n", "based_on": "1", "do": "publish"}
    stranger, writer = Client(), Client()
    stranger.force_login(tariq)
    writer.force_login(hanna)
    assert stranger.post(f"{address}change/", typed).status_code == 403
    assert stranger.post(f"{address}change/", {"do": "archive"}).status_code == 403
    assert stranger.post(f"{address}revisions/restore/", {"r": "1"}).status_code == 403
    stranger.post("/admin/kb/article/", {"action": "archive_ticked", "_selected_action": str(article.pk), "index": "0"})
    new = {"title": "T", "body": "B", "collection": str(article.collection_id), "do": "save"}
    assert stranger.post("/admin/kb/article/add/", new).status_code == 403
    assert b"Publish</button>" not in stranger.get(f"{address}change/").content
    article.refresh_from_db()
    assert (article.state, Revision.objects.count()) == ("live", 1)
    assert writer.post(f"{address}change/", typed).status_code == 302
    assert Revision.objects.count() == 2


def test_an_import_skips_restricted_collections(article: Article, tariq: User) -> None:
    browser = Client()
    browser.force_login(tariq)
    files = [
        SimpleUploadedFile("vouchers.md", b"---\nid: vouchers\n---\nMine.\n"),
        SimpleUploadedFile("new.md", b"---\ncollection: goodwill\n---\nMine.\n"),
        SimpleUploadedFile("free.md", b"---\ncollection: Care\n---\nWash it.\n"),
    ]
    answer = browser.post("/admin/import/", {"do": "publish", "files": files}, headers={"Accept": "application/json"})
    assert answer.json()["counts"] == {"new": 1, "updated": 0, "unchanged": 0, "failed": 2}
    assert Revision.objects.filter(article=article).count() == 1


def test_only_admins_set_writers(workspace: Workspace, goodwill: Collection, hanna: User, tariq: User) -> None:
    page = f"/admin/kb/collection/{goodwill.pk}/change/"
    editor, admin = Client(), Client()
    editor.force_login(hanna)
    admin.force_login(person(workspace, "boss", "admin"))
    editor.post(page, {"name": "Goodwill", "writers": [str(tariq.pk)]})
    assert writers_of(goodwill) == [hanna]
    admin.post(page, {"name": "Good will", "writers": [str(tariq.pk)]})
    goodwill.refresh_from_db()
    assert (goodwill.name, writers_of(goodwill)) == ("Good will", [tariq])
    assert editor.post(page, {"name": "Mine"}).status_code == 403
