"""The rows of our benchmarks, run as suites: quotations, checked answers, detected requests."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from bench import checks, intents, quotes
from kb.evaluation.runs import as_asked, evaluate, read_questions
from kb.indexing.sync import sync_articles
from kb.models import Article
from kb.services import Change, create_article, publish
from supportbot.accounts.models import Workspace
from supportbot.evals.articles.article_gates import quotation_cases
from supportbot.evals.errors import InvalidSuite
from supportbot.evals.grading.requested_calls import requests_of
from supportbot.evals.models import Result, Run
from supportbot.evals.runs.run_worker import execute_run
from supportbot.evals.services import save_suite, start_run
from supportbot.evals.suite_formats.files import read_suite
from supportbot.evals.suite_formats.own_format import parse_suite, suite_document
from supportbot.releases.models import ReleaseGates
from tests.policies import store_policies

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = {"title": "Returns", "text": "You can return unused items within 60 days of delivery."}


def lines(*rows: dict[str, Any]) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def outcomes(*rows: dict[str, Any]) -> dict[str, tuple[bool, bool]]:
    """Run rows as a suite; return for each case whether it passed, and whether repeating it gives the same result."""
    suite = read_suite(lines(*rows), file="rows.jsonl")
    assert parse_suite(suite_document(suite), file="") == suite
    run = start_run(save_suite(suite))
    execute_run(run.pk)
    assert Run.objects.get(pk=run.pk).state == "done"
    return {row.key: (row.passed, row.is_deterministic) for row in Result.objects.filter(run=run)}


def passed(*rows: dict[str, Any]) -> list[bool]:
    """Run rows as a suite; return for each whether it passed."""
    found = outcomes(*rows)
    return [found[str(number)][0] for number in range(1, len(rows) + 1)]


def test_rows_of_quotations_are_graded(workspace: Workspace, returns_article: Article) -> None:
    asked = {"question": "How many days do I have to return unused items?", "gold": ["returns"]}
    body = Article.objects.values_list("live_revision__body", flat=True).get(pk=returns_article.pk)
    right = next(line for line in body.splitlines() if "60 days" in line)
    assert outcomes({**asked, "answers": [right]}, {**asked, "answers": ["The moon is a stone."]}) == {
        "1": (True, True),
        "2": (False, True),
    }


def test_rows_of_given_answers_are_graded(workspace: Workspace) -> None:
    row = {"passages": [PAGE], "said": ["How long can I return it?"]}
    right = {**row, "answer": "You can return unused items within 60 days of delivery."}
    wrong = {**row, "answer": "You can return unused items within 90 days of delivery."}
    assert outcomes(
        {**right, "id": "a", "label": "faithful"},
        {**wrong, "id": "b", "label": "unfaithful"},
        {**wrong, "id": "c", "label": "between"},
        {**right, "id": "d", "label": "unfaithful"},
        {**wrong, "id": "e", "label": "faithful"},
    ) == {"1": (True, True), "2": (True, True), "3": (False, True), "4": (False, True)}
    [doubted] = Result.objects.filter(key="2")
    assert "90" in doubted.played["replies"][0]["withheld"][0]["text"]
    with pytest.raises(InvalidSuite, match="case 1: the row needs a `label`"):
        read_suite(lines(right, right), file="rows.jsonl")


def test_rows_of_requests_are_graded(workspace: Workspace) -> None:
    store_policies(workspace)
    assert outcomes(
        {"locale": "en", "text": "I want a refund for order WF-20418", "want": "refund_order"},
        {"locale": "en", "text": "How should I wash a down jacket?", "want": None},
        {"locale": "en", "text": "How should I wash a down jacket?", "want": "refund_order"},
    ) == {"1": (True, True), "2": (True, True), "3": (False, True)}


def test_a_run_counts_what_the_benchmark_of_the_checks_counts(workspace: Workspace) -> None:
    wrong = "You can return unused items within 90 days of delivery."
    rows: list[dict[str, Any]] = [
        {"said": ["Hi"], "answer": "You can return unused items within 60 days of delivery."},
        {"said": ["How long can I return it?"], "answer": wrong},
        {"said": ["My card says 90 days.", "Is that so?"], "answer": wrong},  # a figure of an earlier message
        {"answer": f"{wrong} [1]"},
        {"answer": "I could not find this in our help pages."},
        {"answer": "I have refunded you €5.", "ledger": ["Refunded €5.00."]},
    ]
    rows = [{"id": str(number), "passages": [PAGE], "label": "unfaithful", **row} for number, row in enumerate(rows)]
    touched = [checks.checked_row(row, strictness="balanced", markers="as-written").is_touched for row in rows]
    assert passed(*rows) == touched
    assert True in touched and False in touched


@pytest.mark.long
def test_a_run_counts_what_the_benchmark_of_requests_counts(workspace: Workspace) -> None:
    store_policies(workspace)
    rows: list[dict[str, Any]] = [
        {"locale": "en", "text": "I want a refund for order WF-20418", "want": "refund_order"},
        {"locale": "en", "text": "Please cancel my order", "want": "cancel_order"},
        {"locale": "en", "text": "How should I wash a down jacket?", "want": "refund_order"},
        {"locale": "en", "text": "How should I wash a down jacket?", "want": None},
        {"locale": "en", "text": "Refund my order WF-20418, please", "want": None},
        {"locale": "en", "text": "Please undo that, put it back as it was", "want": "undo"},
    ]
    [told] = [facts for facts in intents.detected_by_language(rows) if facts["locale"] == "all"]
    came = passed(*rows)
    wanted = [ok for row, ok in zip(rows, came, strict=True) if row["want"]]
    others = [ok for row, ok in zip(rows, came, strict=True) if not row["want"]]
    assert (len(wanted), len(others)) == (told["requests"], told["others"])
    assert round(sum(wanted) / len(wanted), 3) == told["detected_or_asked_back"]
    false = told["null_card"] + told["null_look_up"] + told["null_asked_back"]
    assert 1 - sum(others) / len(others) == pytest.approx(false)
    with pytest.raises(InvalidSuite, match="case 1: unknown key `after_deed`"):
        read_suite(lines(*({**row, "after_deed": True} for row in rows)), file="undoing.jsonl")


@pytest.mark.long
def test_a_run_counts_what_the_benchmark_of_conversations_counts(workspace: Workspace) -> None:
    store_policies(workspace)
    refund = {"action": "refund_order", "arguments": {"order_id": "WF-20418"}}
    part = {"action": "refund_order", "arguments": {"order_id": "WF-20418", "items": ["CAIRN-41"]}}
    shared = {"locale": "en", "kind": "wish", "expect": []}
    rows: list[dict[str, Any]] = [
        {**shared, "say": ["I want a refund for order WF-20418"], "expect": [refund]},
        {**shared, "say": ["I want a refund for order WF-20418"], "expect": [part]},  # the boots only: too much
        {**shared, "say": ["refund WF-20418", "only the boots"], "expect": [refund, part]},
        {**shared, "say": ["I want a refund for order WF-20418"]},
        {**shared, "say": ["How should I wash a down jacket?"]},
        {**shared, "say": ["Please cancel my order"], "asks": "order"},
        {**shared, "say": ["How should I wash a down jacket?"], "asks": "order"},
    ]
    rows = [{**row, "id": f"c{number}"} for number, row in enumerate(rows)]
    right = [intents.is_right(intents.played(row)) for row in rows]
    assert passed(*rows) == right
    assert (right[0], *right[3:]) == (True, False, True, True, False)
    played = Result.objects.get(run=Run.objects.get(), key="3").played["replies"]
    assert [reply["said"] for reply in played] == ["refund WF-20418", "only the boots"]
    assert [(call["name"], call["end"]) for call in played[0]["calls"]] == [("refund_order", "proposed")]
    with pytest.raises(InvalidSuite, match="case 2: unknown key `note`"):
        read_suite(lines(rows[0], {**rows[1], "note": "x"}), file="wishes.jsonl")


def test_the_shipped_conversations_are_a_suite() -> None:
    file = Path(intents.FILE)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    suite = read_suite(file.read_bytes(), file=file.name)
    assert [[step.say for step in case.steps] for case in suite.cases] == [row["say"] for row in rows]
    wanted = [requests_of(case.expect["requests"]) for case in suite.cases]
    assert [one.asks for one in wanted] == [row.get("asks", "") for row in rows]
    assert sum(len(one.calls) for one in wanted) == sum(len(row["expect"]) for row in rows) > 100


@pytest.mark.long
def test_a_run_counts_what_the_benchmark_of_quotations_counts(
    workspace: Workspace, returns_article: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"question": "How many days do I have to return unused items?", "locale": "en", "gold": ["returns"]}
    rows: list[dict[str, Any]] = [
        {**asked, "answers": ["You can return unused items within 60 days of delivery."]},
        {**asked, "answers": ["The moon is a stone."]},
        {"question": "Which moon of Jupiter is the largest?", "locale": "en", "kind": "off_topic"},
        {"question": "Thanks, bye!", "locale": "en", "kind": "small_talk"},
        {"question": "How many days do I have to return unused items?", "locale": "en", "kind": "off_topic"},
    ]
    came = passed(*rows)
    monkeypatch.setattr(quotes, "WORKSPACE", workspace.slug)
    answers = list(quotes.answered(rows))
    assert came == [one.is_right if one.gold else not one.cited for one in answers]
    assert True in came and False in came
    shares = {facts.get("unanswerable", ""): facts for facts in quotes.figures(answers)}
    assert shares[""]["right"] == sum(came[:2]) / 2 and shares["small_talk"]["refused"] == came[3]


@pytest.mark.long
def test_a_run_counts_what_kb_eval_counts(workspace: Workspace, returns_article: Article, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "question": "How many days do I have to return unused items?", "gold": ["returns"]},
        {"id": "b", "question": "When is my refund paid?", "gold": ["another"]},
        {
            "id": "c",
            "question": "And how long does that take?",
            "history": [{"role": "user", "content": "I want to return unused items."}],
            "gold": ["returns", "another"],
        },
    ]
    file = tmp_path / "questions.jsonl"
    file.write_bytes(lines(*rows))
    facts = evaluate(read_questions(file), as_asked("public")).facts()
    came = passed(*rows)
    assert round(sum(came) / len(came), 4) == facts["hit5"] and True in came and False in came


@pytest.mark.long
def test_a_run_counts_what_a_calibration_counts(workspace: Workspace, tmp_path: Path) -> None:
    body = " ".join(f"The tent number {n} is kept in shelf {n}." for n in range(12))
    sync_articles([publish(create_article(Change(title="Tents", body=body)).pk).pk])
    asked = {
        True: [f"where is tent number {n}" for n in range(24)],
        False: [f"what time is it in zone {n}" for n in range(20)],
    }
    asked[False] += ["where is tent number twelve kept", "which shelf has the tents", "tent number"]  # hard to refuse
    files = {is_answerable: tmp_path / f"{is_answerable}.jsonl" for is_answerable in asked}
    for is_answerable, texts in asked.items():
        files[is_answerable].write_bytes(lines(*({"id": text, "question": text} for text in texts)))
    corpus, out = f"{workspace.slug}={files[True]},{files[False]}", StringIO()
    call_command("kb_calibrate", "--corpus", corpus, "--check", corpus, "--store", "--json", stdout=out)
    told = json.loads(out.getvalue())["report"][f"only checked, {workspace.slug}"]
    for is_answerable, name in ((True, "answered"), (False, "refused")):
        came = passed(*({"question": text, "answerable": is_answerable} for text in asked[is_answerable]))
        assert round(sum(came) / len(came), 3) == told[name], name
    assert 0 < told["refused"] < 1, "the questions show a difference"


def test_no_article_is_tested_with_benchmark_rows(workspace: Workspace) -> None:
    answer = {"passages": [PAGE], "answer": "Within 60 days.", "label": "faithful"}
    wish = {"text": "Refund me", "want": "refund_order"}
    for name, row in (("checks", answer), ("intents", wish), ("wishes", {"say": ["Refund me"], "expect": []})):
        document = suite_document(read_suite(lines(row, row), file=f"{name}.jsonl"))
        save_suite(parse_suite({**document, "cases": [{**one, "must": True} for one in document["cases"]]}, file=""))
    ReleaseGates.objects.create(suites=["checks", "intents", "wishes"])
    assert quotation_cases() == []


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"answer": ""}, "`answer` must be text"),
        ({"answer": "x", "pages": []}, "unknown key `pages`"),
        ({"answer": "x", "passages": "y"}, "`passages` must be a list"),
        ({"answer": "x", "passages": [{"title": "y"}]}, "`text` must be text"),
        ({"answer": "x", "ledger": [5, {}]}, "`ledger` must be text"),
        ({"answer": "x" * 4_001}, "`answer` must be text"),
    ],
)
def test_an_unusable_given_answer_is_refused_at_its_key(given: dict[str, Any], problem: str) -> None:
    case = {"id": "one", "ask": "Hi", "given": given, "expect": {"touched": True}}
    with pytest.raises(InvalidSuite, match=f"case one: given.*{problem}"):
        parse_suite({"suite": "s", "cases": [case]}, file="s.yaml")


def test_a_given_answer_has_one_message(workspace: Workspace) -> None:
    case = {"id": "one", "steps": ["a", "b"], "given": {"answer": "x"}, "expect": {"touched": True}}
    with pytest.raises(InvalidSuite, match="one message"):
        parse_suite({"suite": "s", "cases": [case]}, file="s.yaml")
