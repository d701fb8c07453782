"""`kb_calibrate`: the calibration it fits and stores, and the errors before it starts."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from kb.access import Viewer
from kb.indexing.models import Recipe
from kb.indexing.sync import sync_articles
from kb.search import search
from kb.services import Change, create_article, publish
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope

pytestmark = pytest.mark.django_db
PLENTY = [f"where is tent number {n}" for n in range(20)]
OTHERS = [f"what time is it in zone {n}" for n in range(20)]


def question_file(path: Path, texts: list[str]) -> str:
    path.write_text("".join(json.dumps({"id": text, "question": text}) + "\n" for text in texts))
    return str(path)


@pytest.mark.long
def test_kb_calibrate_stores_the_calibration_of_the_next_search(
    workspace: Workspace, other_workspace: Workspace, tmp_path: Path
) -> None:
    asked = {}
    for row, thing in ((workspace, "tent"), (other_workspace, "invoice")):
        with workspace_scope(row.pk):
            body = " ".join(f"The {thing} number {n} is kept in shelf {n}." for n in range(12))
            sync_articles([publish(create_article(Change(title=thing, body=body)).pk).pk])
        texts = [f"where is {thing} number {n}" for n in range(12)]
        asked[row.slug] = question_file(tmp_path / f"{row.slug}.jsonl", texts)
    out = tmp_path / "calibration.json"
    corpora = [f"--corpus={slug}={path}" for slug, path in asked.items()]
    call_command("kb_calibrate", *corpora, "--store", "--out", str(out), "--json", stdout=StringIO())
    stored = Recipe.objects.get(is_active=True).calibration
    assert stored == json.loads(out.read_text())
    assert search("where is tent number 3", viewer=Viewer()).is_answerable
    assert not search("where is invoice number 3", viewer=Viewer()).is_answerable


def test_kb_calibrate_does_not_use_foreign_questions_that_a_corpus_answers(
    workspace: Workspace, other_workspace: Workspace, tmp_path: Path
) -> None:
    path = question_file(tmp_path / "own.jsonl", ["where is it", "how is it"])
    foreign = question_file(tmp_path / "foreign.jsonl", [f"what time is {n}" for n in range(12)])
    corpora = [f"--corpus={row.slug}={path}" for row in (workspace, other_workspace)]
    output = StringIO()
    options = [f"--foreign={foreign}={workspace.slug}", f"--check={workspace.slug}={path},{foreign}", "--json"]
    call_command("kb_calibrate", *corpora, *options, stdout=output)
    report = json.loads(output.getvalue())["report"]
    assert report[f"only checked, {workspace.slug}"]["unanswerable"] == 12
    halves = {row.slug: report[f"other half, {row.slug}"]["unanswerable"] for row in (workspace, other_workspace)}
    assert halves[workspace.slug] < halves[other_workspace.slug]


@pytest.mark.long
def test_one_corpus_with_unanswerable_questions_is_enough(workspace: Workspace, tmp_path: Path) -> None:
    yes, no = question_file(tmp_path / "yes.jsonl", PLENTY), question_file(tmp_path / "no.jsonl", OTHERS)
    output = StringIO()
    call_command("kb_calibrate", f"--corpus={workspace.slug}={yes},{no}", "--json", stdout=output)
    half = json.loads(output.getvalue())["report"][f"other half, {workspace.slug}"]
    assert half["answerable"] > 0
    assert half["unanswerable"] > 0


def refusal(*arguments: str) -> str:
    with pytest.raises(CommandError) as refused:
        call_command("kb_calibrate", *arguments, "--store")
    assert Recipe.objects.filter(is_active=True).exclude(calibration={}).count() == 0
    return str(refused.value)


@pytest.mark.parametrize("option", ["--corpus", "--check"])
def test_an_unknown_workspace_is_reported_with_its_option(workspace: Workspace, tmp_path: Path, option: str) -> None:
    path = question_file(tmp_path / "one.jsonl", PLENTY)
    known = [f"--corpus={workspace.slug}={path},{path}"] if option == "--check" else []
    output = refusal(*known, f"{option}=nowhere={path},{path}")
    assert output == f"There is no workspace “nowhere”. Choose one with {option}: {workspace.slug}."


def test_a_corpus_without_unanswerable_questions_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    path = question_file(tmp_path / "one.jsonl", PLENTY)
    assert "too few questions without an answer" in refusal(f"--corpus={workspace.slug}={path}")


def test_too_few_questions_are_refused(workspace: Workspace, other_workspace: Workspace, tmp_path: Path) -> None:
    path = question_file(tmp_path / "one.jsonl", ["where"])
    corpora = [f"--corpus={row.slug}={path}" for row in (workspace, other_workspace)]
    assert f"{workspace.slug} has too few questions with an answer" in refusal(*corpora)


def test_a_corpus_named_twice_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    corpus = f"--corpus={workspace.slug}={question_file(tmp_path / 'one.jsonl', PLENTY)}"
    assert "twice" in refusal(corpus, corpus)


def test_an_excluded_workspace_must_be_one_of_the_corpora(workspace: Workspace, tmp_path: Path) -> None:
    path = question_file(tmp_path / "one.jsonl", PLENTY)
    output = refusal(f"--corpus={workspace.slug}={path}", f"--foreign={path}=nobody")
    assert output == f"--foreign excludes nobody, which is not among the corpora {workspace.slug}."


@pytest.mark.parametrize("name", ["", "nowhere/calibration.json"])
def test_an_unwritable_file_fails_before_the_work(workspace: Workspace, tmp_path: Path, name: str) -> None:
    yes, no = question_file(tmp_path / "yes.jsonl", PLENTY), question_file(tmp_path / "no.jsonl", OTHERS)
    output = refusal(f"--corpus={workspace.slug}={yes},{no}", f"--out={tmp_path / name}")
    assert "cannot be written" in output


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "broken.jsonl has no questions"),
        (b'{"question": "x"}\n{', "broken.jsonl:2 is not valid JSON"),
        (b"[]", "broken.jsonl:1 is not a JSON object"),
        (b'{"question": " "}', "broken.jsonl:1 has no question"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_a_broken_file_is_reported_in_one_message(
    workspace: Workspace, tmp_path: Path, content: bytes, cause: str
) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_bytes(content)
    assert cause in refusal(f"--corpus={workspace.slug}={path}")


def test_a_missing_file_is_reported_in_one_message(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "none.jsonl"
    assert refusal(f"--corpus={workspace.slug}={path}") == f"{path} cannot be read: No such file or directory."


def test_an_index_of_another_model_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    path = question_file(tmp_path / "one.jsonl", PLENTY)
    Recipe.objects.create(name="other", model="other", dimensions=8, is_active=True)
    assert "kb_reindex" in refusal(f"--corpus={workspace.slug}={path}", f"--foreign={path}")
