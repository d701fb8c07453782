"""Pictures that no text uses are deleted after some days, and no others."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils.timezone import now

from kb.autosave import forget, keep
from kb.models import Picture, PictureUse, Unsaved
from kb.pictures import AT_ONCE, UNUSED_DAYS, add_picture, address_of
from kb.services import Change, create_article, publish, save_draft
from kb.tasks import purge_pictures
from supportbot.accounts.models import User, Workspace
from supportbot.accounts.scope import workspace_scope
from tests.console.test_firststeps import png

pytestmark = pytest.mark.django_db


def made(width: int) -> Picture:
    return add_picture(png(width=width))


def age(days: float) -> None:
    Picture.objects.update(created_at=now() - timedelta(days=days))


def left() -> set[int]:
    return {picture.width for picture in Picture.objects.all()}


def body(picture: Picture) -> str:
    return f"Look.\n\n![Red]({address_of(picture)})\n"


def test_only_pictures_that_no_text_names_are_deleted(workspace: Workspace, bob: User) -> None:
    live, draft, old, unsaved, named_before, unused = (made(width) for width in (1, 2, 3, 4, 5, 6))
    publish(create_article(Change(title="Live", body=body(live))).pk)
    create_article(Change(title="Draft", body=body(draft)))
    restorable = create_article(Change(title="Old", body=body(old)))
    save_draft(restorable.pk, Change(body="No picture any more."))
    text = body(named_before)
    Picture.objects.filter(width=5).delete()
    create_article(Change(title="Before", body=text))
    made(5)  # uploaded after the text that refers to it
    keep(bob, None, {"title": "", "body": body(unsaved)}, based_on=None)
    assert body(unused)

    age(UNUSED_DAYS - 1)
    purge_pictures()
    assert left() == {1, 2, 3, 4, 5, 6}, "too early"
    age(UNUSED_DAYS + 1)
    purge_pictures()
    assert left() == {1, 2, 3, 4, 5}
    forget(bob, None)
    purge_pictures()
    assert left() == {1, 2, 3, 5}


def test_each_upload_restarts_the_days_and_a_run_is_limited(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for width in (1, 2, 3, 4):
        made(width)
    age(UNUSED_DAYS + 1)
    made(4)
    monkeypatch.setattr("kb.pictures.AT_ONCE", 2)
    assert AT_ONCE > 2
    purge_pictures()
    assert len(left()) == 2
    purge_pictures()
    assert left() == {4}


def test_pictures_that_texts_name_do_not_use_up_a_run(
    workspace: Workspace, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kb.pictures.AT_ONCE", 2)
    restored, kept, *_ = [made(width) for width in (1, 2, 3, 4)]
    create_article(Change(title="Older than its picture", body=body(restored)))
    PictureUse.objects.all().delete()
    keep(bob, None, {"title": "", "body": body(kept)}, based_on=None)
    assert Unsaved.objects.count() == 1
    for width in (1, 2, 3, 4):  # those that texts refer to come first
        Picture.objects.filter(width=width).update(created_at=now() - timedelta(days=UNUSED_DAYS + 9 - width))
    purge_pictures()
    assert left() == {1, 2}


@pytest.mark.django_db(transaction=True)
def test_a_text_with_a_picture_keeps_it_and_delays_no_other_text(workspace: Workspace) -> None:
    picture = made(1)
    first, another = (create_article(Change(title=title, body="No picture yet.")) for title in ("First", "Another"))
    age(UNUSED_DAYS + 1)

    def elsewhere() -> None:
        """Do over another connection what other users might do in the meantime."""
        try:
            with workspace_scope(workspace.pk):
                purge_pictures()
                with transaction.atomic():
                    with connection.cursor() as cursor:
                        cursor.execute("SET LOCAL lock_timeout = '1s'")
                    save_draft(another.pk, Change(body=body(picture)))
                    assert made(1) == picture, "uploaded again"
        finally:
            connection.close()

    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        save_draft(first.pk, Change(body=body(picture)))
        pool.submit(elsewhere).result()
    assert left() == {1} and PictureUse.objects.count() == 2


def test_an_upload_of_a_young_picture_writes_nothing(workspace: Workspace) -> None:
    made(1)
    age(0.9)
    before = Picture.objects.get().created_at
    made(1)
    assert Picture.objects.get().created_at == before
    age(1.1)
    made(1)
    assert Picture.objects.get().created_at > before
