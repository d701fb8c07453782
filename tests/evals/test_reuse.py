"""A draft that is evaluated again after articles have changed: only cases that find something else are repeated."""

from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.utils.timezone import now

from kb.indexing.sync import sync_articles
from kb.models import Article
from kb.services import Change, create_article, publish, save_draft
from supportbot import celery, lifespan
from supportbot.accounts.models import Workspace
from supportbot.accounts.principals import Staff
from supportbot.assistant import context
from supportbot.assistant.turn_search import ON_TOPIC_FROM
from supportbot.chat.models import Message, Source
from supportbot.evals import build_fingerprint
from supportbot.evals import services as evals
from supportbot.evals.models import Result, Run, Suite
from supportbot.evals.runs import run_worker
from supportbot.evals.simulation.simulated_conversation import inputs_of, simulate_conversation
from supportbot.evals.suite_formats.files import read_suite
from supportbot.ids import uuid7
from supportbot.llm.ports import ProviderEvent
from supportbot.llm.testing import ScriptedModel, answering
from supportbot.llm.types import Finished, ModelRequest, TextDelta, Usage
from supportbot.releases import evaluation, services
from supportbot.releases.errors import GateRefused, VerdictOutdated
from supportbot.releases.models import Release
from supportbot.releases.selectors import live_release, release_with_id

pytestmark = pytest.mark.django_db(transaction=True)
WINDOW, CARD = "How many days do I have to return unused items?", "How long is a gift card valid?"
BOTH = [CARD, WINDOW]
SUITE = f"""
suite: shop
title: The shop
defaults: {{must: true}}
cases:
  - {{id: window, ask: "{WINDOW}", expect: {{figures: 60 days}}}}
  - {{id: card, ask: "{CARD}", expect: {{figures: 36 months}}}}
"""


class Reader(ScriptedModel):
    """A model that repeats the first source."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ProviderEvent, None]:
        self.asked.append(request.question)
        text = " ".join(request.sources[0].text.split()).rstrip(".") if request.sources else "Hello"
        yield TextDelta(f"{text} [1].")
        yield Finished("stop", Usage(10, 5), self.name, self.model)


@pytest.fixture
def ada(workspace: Workspace) -> Staff:
    return Staff(workspace.pk, None, "Ada", "admin", frozenset({"releases:write"}))


@pytest.fixture
def model() -> Iterator[Reader]:
    with answering(model := Reader()):
        yield model


@pytest.fixture
def card(workspace: Workspace, returns_article: Article) -> Article:
    article = create_article(
        Change(title="Gift cards", body="A gift card is valid for 36 months.", locale="en"), external_id="gift-cards"
    )
    changed(article, "")
    return article


def changed(article: Article, more: str, *, old: str = "", new: str = "") -> None:
    newest = Article.objects.get(pk=article.pk).latest_revision
    assert newest is not None
    save_draft(article.pk, Change(title=newest.title, body=newest.body.replace(old, new) + more, locale="en"))
    publish(article.pk)
    sync_articles([article.pk])


@pytest.fixture
def draft(ada: Staff, card: Article, model: Reader) -> Release:
    """A draft that has passed. Its answers, like the live release's, are each made from one passage."""
    live = services.create_draft(person=ada, document={"passages": 1})
    services.publish(live.pk, person=ada, instead_of=live_release().number, reason="x")
    evals.save_suite(read_suite(SUITE.encode(), file="s"))
    services.name_gates(["shop"], person=ada)
    draft = services.create_draft(person=ada, document={"tone": "brief"})
    evaluated(draft, model)
    assert sorted(model.asked) == sorted(BOTH * 2)  # by the live release, then by the draft
    return draft


def evaluated(draft: Release, model: Reader) -> Run:
    model.asked.clear()
    evaluation.evaluate(draft.pk)
    return Run.objects.order_by("-created_at")[0]


def changes_of(draft: Release) -> list[str]:
    row = release_with_id(draft.pk)
    return evaluation.changed_since(row, row.verdict or {})


def test_only_the_case_that_finds_the_changed_text_is_repeated_and_fails(
    ada: Staff, draft: Release, card: Article, model: Reader
) -> None:
    changed(card, "", old="36 months", new="12 months")
    assert changes_of(draft) == ["knowledge"]
    run = evaluated(draft, model)
    assert (model.asked, run.kept, run.done) == ([CARD, CARD], 1, 2)
    assert {row.key: row.passed for row in Result.objects.filter(run=run)} == {"window": True, "card": False}
    with pytest.raises(GateRefused, match="shop: card"):
        services.publish(draft.pk, person=ada, instead_of=live_release().number, reason="x")


@pytest.mark.long
def test_a_change_that_no_case_finds_repeats_nothing(
    ada: Staff, draft: Release, model: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The instructions contain the time.
    monkeypatch.setattr(context, "moment_in_words", lambda moment: "another moment")
    other = create_article(Change(title="Lost property", body="It is kept in a box.", locale="en"), external_id="lost")
    changed(other, "")
    run = evaluated(draft, model)
    assert (model.asked, run.kept, run.done) == ([], 2, 2) and changes_of(draft) == []
    assert services.publish(draft.pk, person=ada, instead_of=live_release().number, reason="x").state == "live"


def update(monkeypatch: pytest.MonkeyPatch) -> None:
    """Act as a process of a newer build from now on."""
    newer = build_fingerprint.Build("newer", now())
    monkeypatch.setattr(build_fingerprint, "build", lambda: newer)


@pytest.mark.long
def test_another_build_reuses_no_result(draft: Release, model: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    other = create_article(Change(title="Lost property", body="It is kept in a box.", locale="en"), external_id="lost")
    changed(other, "")
    update(monkeypatch)
    assert (evaluated(draft, model).kept, sorted(model.asked)) == (0, sorted(BOTH * 2))


@pytest.mark.long
def test_another_build_makes_a_verdict_outdated_and_continues_no_run(
    ada: Staff, draft: Release, model: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfinished = evals.start_run(Suite.objects.get(), release=release_with_id(draft.pk))
    update(monkeypatch)
    assert changes_of(draft) == ["product"]
    with pytest.raises(VerdictOutdated):
        services.publish(draft.pk, person=ada, instead_of=live_release().number, reason="x")
    run_worker.execute_run(unfinished.pk)
    unfinished.refresh_from_db()
    assert (unfinished.state, unfinished.problem, unfinished.done) == ("paused", "product_changed", 0)
    again = evaluated(draft, model)
    assert again.pk != unfinished.pk and (again.kept, again.state, changes_of(draft)) == (0, "done", [])


def test_an_old_worker_leaves_a_run_of_a_newer_build_to_its_worker(
    draft: Release, model: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """During a rolling restart, the web process is already new, and one worker is still old."""
    with monkeypatch.context() as new:
        update(new)
        run = evals.start_run(Suite.objects.get())
    model.asked.clear()
    for _ in range(2):  # an old worker
        assert run_worker.due_runs() == []
        run_worker.execute_run(run.pk)
        run.refresh_from_db()
        assert (run.state, run.done, run.runner, model.asked) == ("waiting", 0, "", [])
    with monkeypatch.context() as new:
        update(new)
        assert run_worker.due_runs() == [(run.workspace_id, run.pk)]
        run_worker.execute_run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.done) == ("done", 2)


@pytest.mark.long
def test_a_run_of_a_newer_build_that_no_worker_takes_says_so(
    draft: Release, model: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as new:
        update(new)
        run = evals.start_run(Suite.objects.get())
    Run.objects.filter(pk=run.pk).update(lease_until=now() - build_fingerprint.LEFT_FOR)
    run_worker.execute_run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.problem, run.done) == ("paused", "product_changed", 0)


@pytest.mark.long
def test_an_update_before_the_restart_does_not_change_the_build_of_a_running_process(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replaced(*_: object) -> str:
        raise AssertionError("the files are read after the start")

    for start in (lifespan.prepare, celery.note_build):
        build_fingerprint.build.cache_clear()
        start()
        with monkeypatch.context() as update:
            update.setattr(build_fingerprint, "mark_of", replaced)
            assert build_fingerprint.product_mark() == build_fingerprint.build().mark


def test_the_fingerprint_of_a_build_changes_with_everything_that_decides_an_answer(tmp_path: Path) -> None:
    (tmp_path / "kb" / "migrations").mkdir(parents=True)
    prompt, migration = tmp_path / "kb" / "prompt.py", tmp_path / "kb" / "migrations" / "0001.py"
    prompt.write_text("RULES = 1")
    first = build_fingerprint.mark_of(tmp_path, ["kb"])
    migration.write_text("x = 1")
    assert build_fingerprint.mark_of(tmp_path, ["kb"]) == first
    prompt.write_text("RULES = 2")
    assert build_fingerprint.mark_of(tmp_path, ["kb"]) != first
    prompt.write_text("RULES = 1")
    prompt.rename(tmp_path / "kb" / "rules.py")
    assert build_fingerprint.mark_of(tmp_path, ["kb"]) != first
    assert all((Path(settings.BASE_DIR) / folder).is_dir() for folder in build_fingerprint.FOLDERS)


@pytest.mark.long
def test_a_case_is_repeated_if_a_new_article_comes_first(draft: Release, model: Reader) -> None:
    new = create_article(Change(title=CARD, body=f"{CARD} It is valid for 6 months.", locale="en"), external_id="new")
    changed(new, "")
    run = evaluated(draft, model)
    assert CARD in model.asked and not Result.objects.get(run=run, key="card").passed


@pytest.mark.long
def test_everything_is_repeated_if_anything_else_has_changed(
    ada: Staff, draft: Release, card: Article, model: Reader
) -> None:
    changed(card, " Treat it like cash.")
    evals.save_suite(read_suite(SUITE.replace("36 months", "3 years").encode(), file="s"))
    assert set(changes_of(draft)) == {"knowledge", "suites"}
    assert evaluated(draft, model).kept == 0 and len(model.asked) == 4
    services.change_draft(draft.pk, {"tone": "warm"}, person=ada)
    assert evaluated(draft, model).kept == 0 and len(model.asked) == 2  # for the live release, nothing has changed


@pytest.mark.long
def test_the_built_in_answerers_weights_count(ada: Staff, card: Article) -> None:
    """Without a model, a result is kept only if the passages weigh the same."""
    evals.save_suite(read_suite(SUITE.encode(), file="s"))
    services.name_gates(["shop"], person=ada)
    draft = services.create_draft(person=ada)
    evaluation.evaluate(draft.pk)
    changed(card, "", old="36 months", new="12 months")
    evaluation.evaluate(draft.pk)
    assert (release_with_id(draft.pk).verdict or {})["failed_must"] == ["shop: card"]


def test_an_abstention_is_repeated_if_it_would_offer_other_pages(workspace: Workspace, card: Article) -> None:
    """Pages are offered above a certain confidence, which changes with the articles even if the passages do not."""
    simulated = simulate_conversation(workspace, "")
    asked = Message(conversation=simulated.conversation, seq=1, source=Source.CUSTOMER, text=CARD)
    found = simulated.context(asked, uuid7())

    def inputs(confidence: float, *, is_abstention: bool) -> str:
        return inputs_of(replace(found, confidence=confidence), by="model", is_abstention=is_abstention)

    assert inputs(ON_TOPIC_FROM, is_abstention=True) != inputs(0.0, is_abstention=True)
    assert inputs(ON_TOPIC_FROM, is_abstention=False) == inputs(0.0, is_abstention=False)
