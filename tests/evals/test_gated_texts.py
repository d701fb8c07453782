"""Imports, sources and publications that do not pass the gates."""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from kb.importing.parsed_document import Document
from kb.management.commands import kb_import
from kb.models import Article, Phrasing, Picture
from kb.ports import ChangedContent, Verdict
from kb.services import Change, create_article, save_draft
from kb.sources import archiving, run_worker
from kb.sources.models import SourceItem
from supportbot.accounts.models import Workspace
from supportbot.evals.models import Suite
from tests.console.conftest import Enter
from tests.console.conftest import enter as enter
from tests.console.test_firststeps import png
from tests.evals.checked_articles import IN_OTHER_WORDS, RETURNS, checked, curated, imported, words, written
from tests.evals.checked_articles import folder as folder
from tests.kb.source_commands import add, again, reasons
from tests.rest import service

pytestmark = pytest.mark.django_db


@pytest.mark.long
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


@pytest.mark.long
@pytest.mark.parametrize("articles", [1, 7], ids=["alone", "with more than are told apart"])
def test_an_import_whose_questions_replace_the_answer_of_a_case_is_refused(folder: Path, articles: int) -> None:
    imported(folder, "--gate")
    for number in range(1, articles):
        (folder / f"more{number}.md").write_text(f"# Bag {number}\n\nThe bag holds {number} litres.\n")
    with pytest.raises(CommandError, match="promises: window"):
        imported(curated(folder, IN_OTHER_WORDS), "--gate")
    assert Article.objects.count() == 1 and not Phrasing.objects.exists()
    imported(curated(folder, "When are you open?"), "--gate")
    assert Article.objects.count() == articles + 1
    with pytest.raises(CommandError, match="promises: window"):
        imported(curated(folder, IN_OTHER_WORDS), "--gate")
    assert [row.text for row in Phrasing.objects.all()] == ["When are you open?"]


@pytest.mark.long
def test_a_tested_import_locks_no_pictures_and_leaves_out_articles_that_change_meanwhile(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "label.png").write_bytes(png())
    for name in ("label", "box"):
        (folder / f"{name}.md").write_text(f"# The {name}\n\n![It](label.png)\n")
    tried = kb_import.try_import

    def slowly(documents: Sequence[Document], **options: Any) -> Verdict:
        assert [one.pictures for one in documents] == [()] * 3
        verdict = tried(documents, **options)
        assert not Picture.objects.exists()
        (folder / "box.md").write_text("# The box\n\nYou can return unused items within 14 days of delivery.\n")
        return verdict

    monkeypatch.setattr(kb_import, "try_import", slowly)
    with pytest.raises(CommandError, match="Failed items: 1"):
        imported(folder, "--gate")
    assert set(Article.objects.values_list("external_id", flat=True)) == {"label.md", "returns.md"}
    assert Picture.objects.count() == 1


touched_by_import: dict[str, ChangedContent] = {}


def remember(change: Callable[[], object], touched: Mapping[str, ChangedContent], *, seconds: float) -> Verdict:
    touched_by_import.update(touched)
    return Verdict()


def test_the_gates_read_an_imported_text_in_the_language_that_the_article_will_have(
    workspace: Workspace, tmp_path: Path, settings: Settings
) -> None:
    """Its words are compared with those of the cases, by their stems in this language."""
    settings.KB_GATES = "tests.evals.test_gated_texts.remember"
    german = "# Hunde\n\nHunde sind in unseren Doppelzimmern für 15 Euro pro Nacht willkommen.\n"
    for name in ("new", "stored"):
        (tmp_path / f"{name}.md").write_text(german)
    (tmp_path / "named.md").write_text(f"---\nlocale: de-CH\n---\n{german}")
    (tmp_path / "code.md").write_text("# 4711\n\n4711\n")
    create_article(Change(title="Dogs", body="Dogs are welcome.", locale="nl"), external_id="stored.md")
    call_command("kb_import", str(tmp_path), "--gate", stdout=io.StringIO(), stderr=io.StringIO())
    locales = {name: one.locale for name, one in touched_by_import.items()}
    assert locales == {"new.md": "de", "stored.md": "nl", "named.md": "de-ch", "code.md": "en"}
    assert locales == dict(Article.objects.values_list("external_id", "locale"))


def test_a_dry_run_asks_the_gates_too(folder: Path) -> None:
    imported(folder, "--gate")
    with pytest.raises(CommandError, match="promises: window"):
        imported(written(folder, 14), "--gate", "--dry-run")
    assert "60 days" in words(Article.objects.get())


@pytest.mark.long
def test_a_source_reads_a_file_with_only_other_questions(folder: Path) -> None:
    add(folder)
    curated(folder, "When are you open?")
    assert again()["new"] == 1
    curated(folder, "When do you close?")
    assert again()["changed"] == 1
    assert [row.text for row in Phrasing.objects.all()] == ["When do you close?"]
    assert again()["unchanged"] == 2


@pytest.mark.long
def test_a_source_leaves_out_questions_that_replace_the_answer_of_a_case(folder: Path) -> None:
    add(folder)
    curated(folder, IN_OTHER_WORDS)
    told = again("--gate")
    assert (told["new"], told["broken"]) == (0, 1) and "promises: window" in reasons(told)["hours.md"]
    assert Article.objects.count() == 1 and not Phrasing.objects.exists()
    curated(folder, "When are you open?")
    told = again("--gate")
    assert (told["new"], told["broken"]) == (1, 0)
    assert [row.text for row in Phrasing.objects.all()] == ["When are you open?"]


@pytest.mark.long
def test_a_source_keeps_changes_that_the_gates_refuse(folder: Path, enter: Enter) -> None:
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
    assert "Checked with the gates" in page and "Not as expected" in page


def vanishing(folder: Path, number: int) -> None:
    """Read a source, then remove from it the article that a case needs, and others."""
    for place in range(4 * number):
        (folder / f"care{place}.md").write_text(f"# Care {place}\n\nWash garment {place} by hand.\n")
    add(folder)
    for name in ("returns.md", *(f"care{place}.md" for place in range(number))):
        (folder / name).unlink()


@pytest.mark.long
@pytest.mark.parametrize(
    ("is_slow", "number"), [(False, 12), (True, 4)], ids=["in one time slice", "in a time slice for each decision"]
)
def test_finding_one_refused_article_among_many_takes_a_few_short_trials(
    folder: Path, monkeypatch: pytest.MonkeyPatch, is_slow: bool, number: int
) -> None:
    vanishing(folder, number)
    decide, slices, trials = run_worker.archive_by_gates, 0, archiving._verdict
    tried: list[int] = []

    def count_slice(*given: Any, **named: Any) -> bool:
        nonlocal slices
        slices += 1
        return decide(*given, **named)

    monkeypatch.setattr(run_worker, "archive_by_gates", count_slice)
    monkeypatch.setattr(archiving, "_verdict", lambda items: tried.append(len(items)) or trials(items))
    if is_slow:
        monkeypatch.setattr(archiving, "monotonic", lambda: float("inf"))
    told = again("--gate")
    assert (told["state"], told["gone"], told["broken"]) == ("done", number, 1)
    assert "promises: window" in reasons(told)["returns.md"]
    assert Article.objects.filter(state="archived").count() == number
    assert Article.objects.get(external_id="returns.md").state == "live"
    assert len(tried) <= number if not is_slow else slices > 2


@pytest.mark.long
def test_a_confirmed_loss_still_asks_the_gates(folder: Path) -> None:
    vanishing(folder, 3)
    for place in range(3, 9):
        (folder / f"care{place}.md").unlink()
    assert again("--gate")["state"] == "unconfirmed"
    told = again("--gate", "--archive-lost")
    assert (told["state"], told["broken"], told["gone"]) == ("done", 1, 9)
    assert Article.objects.get(external_id="returns.md").state == "live"
    assert Article.objects.filter(state="archived").count() == 9


@pytest.mark.long
def test_a_gate_whose_suite_is_gone_ends_a_run_with_its_reason(folder: Path) -> None:
    vanishing(folder, 3)
    Suite.objects.all().delete()
    with pytest.raises(CommandError, match="do not exist: promises"):
        again("--gate")
    assert Article.objects.filter(state="archived").count() == 0
    written(folder, 14)
    with pytest.raises(CommandError, match="do not exist: promises"):
        again("--gate")
    assert "60 days" in words(Article.objects.get(external_id="returns.md"))
    assert "do not exist" in SourceItem.objects.get(key__endswith="returns.md").reason


@pytest.mark.long
def test_articles_that_vanish_from_a_source_are_checked_or_kept(folder: Path) -> None:
    (folder / "hours.md").write_text("# Opening hours\n\nWe are here from nine to five.\n")
    for number in range(6):  # so that two of them are less than a third of the source
        (folder / f"care{number}.md").write_text(f"# Care {number}\n\nWash garment {number} by hand.\n")
    add(folder)
    checked()
    article = Article.objects.get(external_id="returns.md")
    for name in ("returns.md", "hours.md"):
        (folder / name).unlink()
    told = again("--gate")
    assert (told["gone"], told["broken"]) == (1, 1)
    assert "Its articles are kept" in reasons(told)["returns.md"] and "promises: window" in reasons(told)["returns.md"]
    assert Article.objects.get(pk=article.pk).state == "live"
    assert Article.objects.get(external_id="hours.md").state == "archived"
    assert checked().failures == []
    assert again("--gate")["broken"] == 1  # the run tests the article again
    assert again()["gone"] == 1
    [found] = checked().failures
    assert found["case"] == "promises: window" and "60 days" in found["before"]
    written(folder, 60)
    assert again("--gate")["broken"] == 0
    assert Article.objects.get(pk=article.pk).state == "live"
