"""Articles and their revisions through the services, and the database's constraints."""

import threading

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from kb.collections import collection_named
from kb.errors import ArticleChanged, ArticleExists, ArticleMissing, InvalidDocument
from kb.indexing.models import Chunk
from kb.models import Article, Collection, Revision, State
from kb.services import Change, archive, create_article, publish, save_draft
from supportbot.accounts.models import User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.outbox.models import Announcement
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db

BODY = "## Costs\n\nDelivery costs 4.90 euros.\n\n## Times\n\nA parcel takes two working days."


def article(title: str = "Delivery", body: str = BODY, external_id: str = "") -> Article:
    return create_article(Change(title=title, body=body), external_id=external_id)


def announced(row: Article) -> int:
    return Announcement.objects.filter(topic="article_changed", object_id=row.pk).count()


def test_a_new_article_is_a_draft(workspace: Workspace) -> None:
    row = article()
    assert (row.state, row.live_revision, row.locale, row.external_id) == (State.DRAFT, None, "en", "delivery")
    assert Chunk.objects.count() == 0
    assert announced(row) == 0


def test_a_published_article_is_found_by_its_words_from_the_same_commit_on(workspace: Workspace) -> None:
    row = publish(article().pk)
    chunks = list(Chunk.objects.filter(article=row))
    assert row.state == State.LIVE
    assert chunks
    assert all(chunk.search_vector and chunk.embedding is None for chunk in chunks)
    assert all(row.live_revision and row.live_revision.body[c.start : c.end] == c.text for c in chunks)
    assert row.indexed_revision is None
    assert announced(row) == 1


def test_publishing_twice_announces_once(workspace: Workspace) -> None:
    row = publish(article().pk)
    publish(row.pk)
    assert announced(row) == 1


def test_a_draft_does_not_change_what_customers_read(workspace: Workspace) -> None:
    row = publish(article().pk)
    save_draft(row.pk, Change(body="Delivery is free."))
    row.refresh_from_db()
    assert (row.live_revision.number, row.latest_revision.number) == (1, 2)
    assert not Chunk.objects.filter(text__contains="free").exists()


def test_saving_unchanged_text_makes_no_revision(workspace: Workspace) -> None:
    row = article()
    save_draft(row.pk, Change(title="Delivery", body=BODY))
    assert Revision.objects.filter(article=row).count() == 1


def test_a_save_on_top_of_an_old_revision_is_refused(workspace: Workspace) -> None:
    row = article()
    save_draft(row.pk, Change(body="Second."))
    with pytest.raises(ArticleChanged, match="Revision 2"):
        save_draft(row.pk, Change(body="Third, written without reading the second."), based_on=1)
    assert Revision.objects.filter(article=row).count() == 2


def test_archiving_removes_the_passages(workspace: Workspace) -> None:
    row = publish(article().pk)
    archive(row.pk)
    assert Article.objects.get(pk=row.pk).state == State.ARCHIVED
    assert not Chunk.objects.filter(article=row).exists()
    assert announced(row) == 2


def test_another_language_reindexes_the_words(workspace: Workspace) -> None:
    change = Change(title="Delivery", body="Die Lieferungen kosten nichts.", locale="en")
    row = publish(create_article(change).pk)
    before = Chunk.objects.get(article=row).search_vector
    save_draft(row.pk, Change(locale="de"))
    assert Chunk.objects.get(article=row).search_vector != before
    assert announced(row) == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (Change(title="", body="x"), "title"),
        (Change(title="x" * 301, body="x"), "title"),
        (Change(title="x", body=" \n "), "body"),
        (Change(title="x", body="a\x00b"), "body"),
        (Change(title="x", body="a\ud800b"), "body"),
        (Change(title="x", body="x" * 2_000_001), "body"),
        (Change(title="x", body="x", locale="english please"), "locale"),
        (Change(title="x", body="x", audience="everyone"), "audience"),
        (Change(title="x", body="x", url="javascript:alert(1)"), "url"),
        (Change(title="x", body="x", url="//evil.example/"), "url"),
        (Change(title="x", body="x", url="/\\evil.example/"), "url"),
        (Change(title="x", body="x", category="x" * 121), "category"),
    ],
)
def test_invalid_input_names_its_field(workspace: Workspace, change: Change, field: str) -> None:
    with pytest.raises(InvalidDocument) as refusal:
        create_article(change)
    assert list(refusal.value.fields) == [field]
    assert not Article.objects.exists()


def test_two_articles_never_share_an_external_id(workspace: Workspace) -> None:
    article(external_id="delivery")
    with pytest.raises(ArticleExists):
        article(external_id="delivery")
    assert Article.objects.count() == 1


def test_identical_titles_get_different_addresses(workspace: Workspace) -> None:
    assert article().external_id != article().external_id


def test_another_workspaces_article_is_not_found(workspace: Workspace, other_workspace: Workspace) -> None:
    row = publish(article().pk)
    with workspace_scope(other_workspace.pk):
        for service in (publish, archive, lambda pk: save_draft(pk, Change(body="Stolen."))):
            with pytest.raises(ArticleMissing):
                service(row.pk)
        assert not Article.objects.exists()
    row.refresh_from_db()
    assert (row.state, Revision.objects.count()) == (State.LIVE, 1)


def test_another_workspaces_collection_is_refused(workspace: Workspace, other_workspace: Workspace) -> None:
    with workspace_scope(other_workspace.pk):
        foreign = collection_named("Secrets")
    row = article()
    with pytest.raises(IntegrityError), transaction.atomic():
        Article.objects.filter(pk=row.pk).update(collection=foreign)
        check_constraints_now()


@pytest.mark.parametrize(("locale", "name"), [("fr", "Général"), ("de-at", "Allgemein"), ("sw", "General")])
def test_the_default_collection_is_named_in_the_workspaces_language_once(
    workspace: Workspace, locale: str, name: str
) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(locale=locale)
    assert article().collection.name == name
    Workspace.objects.filter(pk=workspace.pk).update(locale="tr")
    assert create_article(Change(title="Two", body="Words.")).collection.name == name


@pytest.mark.parametrize(
    ("names", "default"),
    [
        (("Allgemein", "General"), "General"),  # the team's own collection is older than the one made automatically
        (("Général", "Allgemein"), "Allgemein"),
        (("Général", "Generale"), "Général"),
    ],
)
def test_a_collection_of_the_teams_own_with_such_a_name_does_not_replace_the_default(
    workspace: Workspace, names: tuple[str, str], default: str
) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(locale="de")
    for name in names:
        collection_named(name)
    assert article().collection.name == default


def test_names_with_the_same_slug_are_two_collections(workspace: Workspace) -> None:
    assert collection_named("C") == collection_named(" c ")
    assert collection_named("C++") != collection_named("C")
    assert Collection.objects.count() == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE kb_revision SET body = 'other'",
        "UPDATE kb_revision SET title = 'other'",
        "UPDATE kb_revision SET number = 7",
        "DELETE FROM kb_revision",
    ],
)
def test_a_revision_never_changes(workspace: Workspace, statement: str) -> None:
    row = article()
    with pytest.raises(IntegrityError), transaction.atomic():
        Article.objects.update(latest_revision=None)
        with connection.cursor() as cursor:
            cursor.execute(statement)
        check_constraints_now()
    assert Revision.objects.get(article=row).body == BODY


def test_revisions_are_deleted_with_their_workspace(workspace: Workspace) -> None:
    publish(article().pk)
    with transaction.atomic():
        Workspace.objects.filter(pk=workspace.pk).delete()
        check_constraints_now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM kb_revision")
        assert cursor.fetchone() == (0,)


def test_erasing_an_author_keeps_the_text(workspace: Workspace, bob: User) -> None:
    row = create_article(Change(title="Delivery", body=BODY), author=bob)
    bob.delete()
    revision = Revision.objects.get(article=row)
    assert (revision.author, revision.body) == (None, BODY)


def test_pointers_lead_to_revisions_of_the_article(workspace: Workspace) -> None:
    one, two = article(), article("Returns")
    with pytest.raises(IntegrityError), transaction.atomic():
        Article.objects.filter(pk=one.pk).update(latest_revision=two.latest_revision)
        check_constraints_now()


def check_constraints_now() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


@pytest.mark.django_db(transaction=True)
def test_two_publications_at_once_leave_one_live_revision(workspace: Workspace) -> None:
    row = article()
    save_draft(row.pk, Change(body="Delivery is free."))
    start = threading.Barrier(2)
    failed: list[DatabaseError] = []

    def publisher() -> None:
        try:
            with workspace_scope(workspace.pk):
                start.wait(timeout=PATIENCE_SECONDS)
                publish(row.pk)
        except DatabaseError as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=publisher) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=PATIENCE_SECONDS)
    row.refresh_from_db()
    assert not failed
    assert row.live_revision.number == 2
    assert [chunk.text for chunk in Chunk.objects.filter(article=row)] == ["Delivery is free."]
    assert announced(row) == 1


@pytest.mark.parametrize(
    ("title", "body", "locale"),
    [
        ("Dogs", "Dogs are welcome in our double rooms for 15 euros a night.", "en"),
        ("Hunde", "Hunde sind in unseren Doppelzimmern für 15 Euro pro Nacht willkommen.", "de-at"),
        ("Code 4711", "4711", "de-at"),
    ],
)
def test_a_new_article_is_in_the_language_of_its_text_if_that_is_clear(
    workspace: Workspace, title: str, body: str, locale: str
) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(locale="de-AT")
    assert create_article(Change(title=title, body=body)).locale == locale
    assert create_article(Change(title=title, body=body, locale="fr")).locale == "fr"
