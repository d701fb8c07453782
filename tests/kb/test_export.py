"""`kb_export`, as an operator uses it: what it writes is read back unchanged."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command

from kb.models import Article, State
from kb.services import Change, archive, collection_named, create_article, publish
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from tests.kb.import_command import counts, run

pytestmark = pytest.mark.django_db


def export(*arguments: object) -> int:
    out = io.StringIO()
    call_command("kb_export", *map(str, arguments), "--json", stdout=out)
    written: int = json.loads(out.getvalue())["articles"]
    return written


def test_an_export_reads_back_unchanged(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    run(folder)
    target = tmp_path_factory.mktemp("export")
    assert export(target) == 4
    assert counts(run(target)) == (0, 0, 4, 0)


def facts() -> list[tuple[object, ...]]:
    """Return everything of the workspace's articles that an export must keep."""
    names = ("external_id", "locale", "audience", "category", "url", "state", "collection__name")
    words = ("latest_revision__title", "latest_revision__body")
    return list(Article.objects.order_by("external_id").values_list(*names, *words))


def test_everything_is_the_same_in_another_installation(
    workspace: Workspace, other_workspace: Workspace, tmp_path: Path
) -> None:
    for external_id in ("x", "x.md", "X", "x-2d711642", "a/b.md", "a-b", "\u00fc", "no"):
        change = Change(
            title=f"Title: of {external_id} # 1", body=f"---\n{external_id}\n\n", audience="internal", locale="de-at",
            category="Section: one", url="https://shop.example/x", collection=collection_named("C++ & more"),
        )  # fmt: skip
        publish(create_article(change, external_id=external_id).pk)
    create_article(Change(title="Unfinished", body="Not yet."), external_id="draft")
    archive(publish(create_article(Change(title="Gone", body="Old.")).pk).pk)
    before = [row for row in facts() if row[5] != State.ARCHIVED]
    assert (export(tmp_path / "live", "--workspace", "wrenfell"), len(before)) == (8, 9)
    assert export(tmp_path / "all", "--drafts", "--workspace", "wrenfell") == 9
    run(tmp_path / "all", "--workspace", "another")
    with workspace_scope(other_workspace.pk):
        assert facts() == before
