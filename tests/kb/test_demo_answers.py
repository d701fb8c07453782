"""The expected answers to the demo's questions are sentences of its articles, which `bench.quotes` relies on."""

import json
from pathlib import Path

from supportbot.evals.grading.graders import bare

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_every_expected_answer_is_in_an_article() -> None:
    articles = [bare(path.read_text()) for path in (EXAMPLES / "knowledge").rglob("*.md")]
    rows = [json.loads(line) for line in (EXAMPLES / "evaluation" / "answers.jsonl").read_text().splitlines()]
    missing = [
        (row["id"], answer) for row in rows for answer in row["answers"]
        if not any(bare(answer) in article for article in articles)
    ]  # fmt: skip
    assert missing == [] and all(row["answers"] and row["gold"] for row in rows)
    assert len({row["id"] for row in rows}) == len(rows) > 200
