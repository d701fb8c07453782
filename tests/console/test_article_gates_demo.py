"""Planted faults in the demo's articles: the shipped suite refuses a changed figure and allows harmless changes.

The tests use the packaged embedding model, as installations do.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from kb import ports
from kb.embedders.packaged import PackagedEmbedder
from kb.importing.importer import import_documents
from kb.importing.loaders import load
from kb.importing.parsed_document import Document
from kb.indexing.embedding import ReadOnlyVectors
from kb.indexing.sync import sync_articles
from kb.indexing.vector_cache import forget, question_vectors, share
from kb.indexing.vector_file import VectorFile
from kb.models import Article
from kb.ports import embedder
from kb.services import Change
from supportbot.accounts.models import Workspace
from supportbot.demo.workspace import COMPARED, SUITES
from supportbot.evals.articles.article_gates import publishing, quotation_cases, tried
from supportbot.evals.services import save_suite
from supportbot.evals.suite_formats.files import SHIPPED, read_suite_file
from supportbot.releases.models import ReleaseGates

pytestmark = [pytest.mark.django_db, pytest.mark.long]
KNOWLEDGE = Path(__file__).resolve().parents[2] / "examples" / "knowledge"
FAULTS = [
    ("returns-and-refunds", "60 days", "14 days"),
    ("returns-and-refunds", "5 working days", "9 working days"),
    ("returns-and-refunds-de", "60 Tage", "30 Tage"),
    ("returns-and-refunds-de", "5 Werktagen", "9 Werktagen"),
    ("delivery-times-and-costs", "2 to 3", "5 to 8"),
    ("delivery-times-and-costs", "€4.90", "€7.90"),
    ("delivery-times-and-costs", "€80", "€60"),
    ("delivery-times-and-costs-de", "12,90", "19,90"),
    ("delivery-times-and-costs-de", "14,90", "24,90"),
    ("paying-by-invoice-de", "innerhalb von 14 Tagen", "innerhalb von 30 Tagen"),
    ("gift-cards", "60 days", "10 days"),
    ("gift-cards", "31 December", "30 June"),
    ("gift-cards", "€10 to €500", "€25 to €200"),
]
HARMLESS = [
    ("returns-and-refunds", "Trying boots on indoors is fine", "You may try boots on indoors"),
    ("returns-and-refunds", "Keep the receipt from", "Please keep the receipt from"),
    ("delivery-times-and-costs", "Our warehouse packs from Monday", "Colleagues pack from Monday"),
    ("delivery-times-and-costs", "choose express.", "please choose express."),
    ("gift-cards", "so treat the code like cash", "so look after the code like cash"),
    ("vouchers-and-discounts", "A code you find there is usually made up", "Such a code is mostly made up"),
    ("vouchers-and-discounts", "€20", "€25"),  # a figure that no case asks about
]


@pytest.fixture
def demo(workspace: Workspace, settings: Settings) -> Workspace:
    settings.KB_EMBEDDER = "packaged"
    ports._load.cache_clear()
    documents = [one for one in load([str(KNOWLEDGE)]) if isinstance(one, Document)]
    import_documents(documents)
    vectors = VectorFile(KNOWLEDGE / "vectors.e5", embedder().recipe)
    sync_articles(list(Article.objects.values_list("pk", flat=True)), known=ReadOnlyVectors(vectors))
    roomy = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 10_000}}
    settings.CACHES = {"default": roomy}
    share(VectorFile(COMPARED, embedder().recipe))
    for name in SUITES:
        save_suite(read_suite_file(SHIPPED / f"{name}.yaml"))
    ReleaseGates.objects.create(suites=list(SUITES))
    return workspace


def broken(workspace: Workspace, name: str, old: str, new: str) -> tuple[list[str], int]:
    article = Article.objects.get(external_id=name)
    assert article.live_revision is not None and old in article.live_revision.body, (name, old)
    change = Change(title=article.title, body=article.live_revision.body.replace(old, new))
    found = tried(publishing(article, change), workspace=workspace)
    return [one.name for one in found.failures], found.untried


def test_a_changed_figure_is_refused_and_other_words_are_not(demo: Workspace) -> None:
    missed = [fault for fault in FAULTS if not broken(demo, *fault)[0]]
    refused = {edit: names for edit in HARMLESS if (names := broken(demo, *edit)[0])}
    assert (missed, refused) == ([], {})
    assert broken(demo, *FAULTS[0])[1] == 0


def test_the_first_publication_computes_only_the_vectors_of_changed_passages(
    demo: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget()
    made, embed = [], PackagedEmbedder.passages

    def passages(self: PackagedEmbedder, texts: Sequence[str]) -> list[list[float]]:
        made.extend(texts)
        return embed(self, texts)

    monkeypatch.setattr(PackagedEmbedder, "passages", passages)
    for name in ("returns-and-refunds", "gift-cards", "delivery-times-and-costs-de"):
        article = Article.objects.get(external_id=name)
        assert article.live_revision is not None
        change = Change(title=article.title, body=f"{article.live_revision.body}\nWe like ptarmigans.\n")
        assert tried(publishing(article, change), workspace=demo).played
    assert made and [text for text in made if "ptarmigans" not in text] == []
    monkeypatch.setattr(PackagedEmbedder, "query", lambda self, text: pytest.fail(f"not shipped: {text}"))
    forget()
    assert question_vectors(case.asks for _, case in quotation_cases())
