"""Importing files of many articles: JSON Lines, plain and compressed."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from kb.models import Article
from supportbot.accounts.models import Workspace
from tests.kb.import_command import counts, failures, run

pytestmark = pytest.mark.django_db
LINES = [
    ('{"id": 7, "title": "Seven", "text": "Lucky."}', ""),
    ('{"id": "h", "html": "<h1>Head</h1><p>Words &amp; more</p>"}', ""),
    ('{"id": "m", "title": "M", "markdown": "**bold**", "audience": "internal", "extra": [1]}', ""),
    ("", ""),
    ("{nonsense", "not valid JSON"),
    ("[1, 2]", "not a JSON object"),
    ('{"title": "no id", "text": "x"}', "no id"),
    ('{"id": "n"}', "exactly one of"),
    ('{"id": "two", "text": "x", "html": "y"}', "exactly one of"),
    ('{"id": "list", "text": ["x"]}', "not text"),
    ('{"id": true, "text": "x"}', "id is not text"),
    ('{"id": "t", "title": 5, "text": "x"}', "title is not text"),
    ('{"id": "s", "title": "S", "text": "half \\ud800 pair"}', "surrogate"),
    ('{"id": "s2", "title": "S", "html": "half \\ud800 pair"}', "surrogate"),
    ('{"id": "z", "title": "Z", "text": "a\\u0000b"}', "NUL"),
    ('{"id": "7", "title": "Seven again", "text": "Twice."}', "already used"),
    ("[" * 100_000, "not valid JSON"),
    ('{"id": "typo", "title": "T", "text": "Secret.", "audence": "internal"}', "Use “audience”"),
    ('{"id": "c", "title": "C", "text": "Words.", "collection": 5}', "collection is not text"),
]


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz"])
def test_every_line_is_an_item(workspace: Workspace, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"docs{ending}"
    content = "\n".join(line for line, _ in LINES).encode()
    file.write_bytes(gzip.compress(content) if ending.endswith(".gz") else content)
    report = run(file)
    messages = failures(report)
    for number, (_, expected) in enumerate(LINES, start=1):
        if expected:
            assert expected in messages[f"docs{ending}:{number}"]
    assert counts(report) == (3, 0, 0, sum(bool(expected) for _, expected in LINES))
    assert Article.objects.get(external_id="h").title == "Head"
    assert Article.objects.get(external_id="m").audience == "internal"


@pytest.mark.long
def test_a_gzip_bomb_is_not_read_to_its_end(workspace: Workspace, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("kb.importing.loaders.jsonl.MAX_FILE_BYTES", 1_000_000)
    bomb = tmp_path / "bomb.jsonl.gz"
    bomb.write_bytes(gzip.compress((b'{"id": "a", "text": "' + b"x" * 1_000 + b'"}\n') * 20_000))
    assert "more than" in failures(run(bomb))["bomb.jsonl.gz"]
    monkeypatch.setattr("kb.importing.loaders.jsonl.MAX_LINE_BYTES", 100_000)
    one_line = tmp_path / "line.jsonl.gz"
    one_line.write_bytes(gzip.compress(b"x" * 10_000_000))
    assert "too long" in failures(run(one_line))["line.jsonl.gz:1"]


def test_damaged_and_false_gzip_files_have_different_messages(workspace: Workspace, tmp_path: Path) -> None:
    whole = gzip.compress(b'{"id": "a", "title": "A", "text": "x"}\n' + b" " * 100_000)
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[:-20])
    (tmp_path / "false.jsonl.gz").write_bytes(b'{"id": "b", "text": "x"}\n')
    report = run(tmp_path)
    assert "damaged" in failures(report)["cut.jsonl.gz"]
    assert "not a gzip file" in failures(report)["false.jsonl.gz"]
