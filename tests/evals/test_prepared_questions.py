"""Vectors of the gates' questions are computed before somebody publishes."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.core.cache import cache
from pytest_django.fixtures import Settings

from kb import ports
from kb.errors import EmbeddingUnavailable
from kb.indexing.vector_cache import forget, question_vectors
from kb.revisions import publish_articles
from kb.services import Change, create_article
from kb.testing import HashEmbedder
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.evals.articles.article_gates import changing, chosen_for, publishing, quotation_cases
from supportbot.evals.articles.prepared_questions import prepare_questions
from supportbot.evals.services import save_suite
from supportbot.evals.suite_formats.files import read_suite
from supportbot.releases.models import ReleaseGates

pytestmark = pytest.mark.django_db
CASE = "  - {{id: c{number}, must: true, ask: 'What about {number}?', expect: {{contains: yes}}}}\n"
LATER = "  - {id: later, must: true, steps: [{say: Hello}, {say: And then?}], expect: {contains: 'yes'}}\n"


def suite(*numbers: int, name: str = "promises", more: str = "") -> None:
    cases = "".join(CASE.format(number=number) for number in numbers).replace("yes}", "'yes'}")
    save_suite(read_suite(f"suite: {name}\ncases:\n{cases}{more}".encode(), file="cases.yaml"))


@pytest.fixture
def made(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Return the questions whose vectors were made, in order."""
    settings.KB_EMBEDDER = "kb.testing.HashEmbedder"
    ports._load.cache_clear()
    forget()
    cache.clear()
    asked: list[str] = []
    plain = HashEmbedder.query
    monkeypatch.setattr(HashEmbedder, "query", lambda self, text: [asked.append(text), *plain(self, text)][1:])
    yield asked
    ports._load.cache_clear()


def test_vectors_are_computed_only_for_new_questions_of_gates(
    workspace: Workspace, other_workspace: Workspace, made: list[str]
) -> None:
    suite(1, 2, more=LATER)
    suite(9, name="no-gate")
    assert (prepare_questions(), made) == (0, [])
    ReleaseGates.objects.create(suites=["promises"])
    with workspace_scope(other_workspace.pk):
        suite(2, 3)
        ReleaseGates.objects.create(suites=["promises"])
    assert prepare_questions() == 2
    assert sorted(made) == ["What about 1?", "What about 2?", "What about 3?"]
    assert prepare_questions() == 0
    suite(1, 4)
    cache.set("gate-questions-busy", 1)  # another worker computes them
    assert (prepare_questions(), len(made)) == (0, 3)
    cache.delete("gate-questions-busy")
    assert (prepare_questions(), made[3:]) == (1, ["What about 4?"])
    cache.clear()  # the vectors are gone, too, but this process still has them
    assert (prepare_questions(), len(made)) == (2, 4)
    forget()
    question_vectors(f"What about {number}?" for number in (1, 2, 3, 4))
    assert len(made) == 4


def test_a_new_text_that_names_no_language_is_compared_in_its_own(workspace: Workspace) -> None:
    german = Change(title="Hunde", body="Hunde sind in unseren Doppelzimmern für 15 Euro pro Nacht willkommen.")
    assert publishing(None, german).locale == create_article(german).locale == "de"
    assert publishing(None, Change(title="4711", body="4711")).locale == workspace.locale
    assert publishing(None, replace(german, locale="de-AT")).locale == "de-AT"


def test_the_corrected_language_of_a_live_text_chooses_its_cases(workspace: Workspace) -> None:
    article = create_article(Change(title="Hunde", body="Hunde sind willkommen.", locale="en"))
    publish_articles([article])
    article.refresh_from_db()
    assert changing(article, Change(locale="de")).locale == "de"
    assert changing(article, Change(audience="signed_in")).locale == "en"


def test_a_publication_chooses_its_cases_without_computing_vectors(workspace: Workspace, made: list[str]) -> None:
    suite(1, 2)
    ReleaseGates.objects.create(suites=["promises"])
    prepare_questions()
    made.clear()
    forget()  # another process publishes
    trial = publishing(None, Change(title="About", body="What about 1? Yes."))
    assert len(chosen_for(quotation_cases(), trial)) == 2
    assert made == []


def test_vectors_that_cannot_be_made_are_made_later(
    workspace: Workspace, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    suite(1)
    ReleaseGates.objects.create(suites=["promises"])
    with monkeypatch.context() as away:

        def fails(self: HashEmbedder, text: str) -> list[float]:
            raise EmbeddingUnavailable("Away.")

        away.setattr(HashEmbedder, "query", fails)
        assert [prepare_questions() for _ in range(2)] == [1, 0]  # not retried at once
    cache.clear()  # as after ten minutes
    assert (prepare_questions(), made) == (1, ["What about 1?"])
    ReleaseGates.objects.update(suites=["promises", "deleted"])
    assert prepare_questions() == 1
