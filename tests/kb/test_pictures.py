"""Pictures that no text uses are deleted after some days, and no others."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from kb.models import Picture
from kb.pictures import add_picture, picture_path
from kb.services import Change, create_article, publish, save_draft
from kb.tasks import purge_pictures
from kb.unsaved import forget, keep
from kb.unused_pictures import AT_ONCE, UNUSED_DAYS
from supportbot.accounts.models import User, Workspace
from tests.console.test_firststeps import png

pytestmark = pytest.mark.django_db


def made(width: int) -> Picture:
    return add_picture(png(width=width))


def age(days: float) -> None:
    Picture.objects.update(created_at=now() - timedelta(days=days))


def left() -> set[int]:
    return {picture.width for picture in Picture.objects.all()}


def body(picture: Picture) -> str:
    return f"Look.\n\n![Red]({picture_path(picture)})\n"


def test_only_pictures_that_no_text_names_are_deleted(workspace: Workspace, bob: User) -> None:
    live, draft, old, unsaved, named_before, unused = (made(width) for width in (1, 2, 3, 4, 5, 6))
    publish(create_article(Change(title="Live", body=body(live))).pk)
    create_article(Change(title="Draft", body=body(draft)))
    restorable = create_article(Change(title="Old", body=body(old)))
    save_draft(restorable.pk, Change(body="No picture any more."))
    text = body(named_before)
    Picture.objects.filter(width=5).delete()
    create_article(Change(title="Before", body=text))
    made(5)  # uploaded after the text that names it
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


def test_days_begin_anew_with_each_upload_and_a_run_is_bounded(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for width in (1, 2, 3, 4):
        made(width)
    age(UNUSED_DAYS + 1)
    made(4)
    monkeypatch.setattr("kb.unused_pictures.AT_ONCE", 2)
    assert AT_ONCE > 2
    purge_pictures()
    assert len(left()) == 2
    purge_pictures()
    assert left() == {4}
