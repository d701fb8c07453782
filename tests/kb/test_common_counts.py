"""Common words are counted once a minute in a large scope, for each scope separately, and each time in a small one."""

from time import time
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kb.access import Viewer
from kb.indexing.full_text import configuration
from kb.indexing.sync import sync_articles
from kb.models import Article, Audience
from kb.search import candidates, common_counts, query_terms, retrieval, search
from kb.search.lexical_query import ScopeStats
from kb.services import archive
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from tests.kb.test_search import names, write, write_many

pytestmark = pytest.mark.django_db

PUBLIC = Viewer()


@pytest.fixture
def large(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with ten articles, which are too many for exact scans and make a word common."""
    monkeypatch.setattr(candidates, "EXACT_UP_TO", 3)
    monkeypatch.setattr(retrieval, "EXACT_UP_TO", 3)
    monkeypatch.setattr(common_counts, "COMMON_FROM", 3)
    write_many(f"m{n}" for n in range(10))
    return workspace


def counted_words(viewer: Viewer, text: str) -> tuple[ScopeStats, list[str]]:
    """Return the counts for a question, and the words that had to be counted for it."""
    scope, locales = candidates.open_scope(viewer)
    (terms,) = query_terms.terms([text], [*map(configuration, locales)])
    with CaptureQueriesContext(connection) as ran:
        stats = candidates.scope_stats(scope, terms)
    statements = [query["sql"] for query in ran.captured_queries]
    assert len(statements) <= 1 or "FILTER" in statements[1]  # the size is counted, too
    return stats, [term.word for term in terms if statements and term.tsquery.split("'")[1] in statements[0]]


def test_common_words_of_a_large_scope_are_counted_once_a_minute(
    large: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = ScopeStats(4, {"parcel": 10, "warehouse": 10}, reads_most=True)
    assert counted_words(PUBLIC, "parcel warehouse") == (both, ["parcel", "warehouse"])
    assert counted_words(PUBLIC, "parcel 7") == (ScopeStats(4, {"parcel": 10, "7": 1}, reads_most=True), ["7"])
    assert counted_words(PUBLIC, "parcel") == (ScopeStats(4, {"parcel": 10}, reads_most=True), [])
    archive(Article.objects.get(external_id="m1").pk)
    assert counted_words(PUBLIC, "parcel 1")[0].counts == {"parcel": 10, "1": 0}
    now = time()
    monkeypatch.setattr("django.core.cache.backends.locmem.time.time", lambda: now + common_counts.KEPT_SECONDS + 1)
    assert counted_words(PUBLIC, "parcel") == (ScopeStats(4, {"parcel": 9}, reads_most=True), ["parcel"])


def test_a_new_article_in_a_large_scope_is_found_at_once_by_a_rare_word(large: Workspace) -> None:
    assert "umbrella" not in names(search("parcel umbrella", viewer=PUBLIC))
    sync_articles([write("umbrella", "an umbrella in a parcel").pk])
    found = search("parcel umbrella", viewer=PUBLIC, mode="lexical")
    assert names(found)[0] == "umbrella"


def test_counts_are_kept_for_one_scope_only(large: Workspace, other_workspace: Workspace) -> None:
    counted_words(PUBLIC, "parcel")
    sync_articles([write("team", "a parcel for the team", audience=Audience.INTERNAL).pk])
    assert counted_words(Viewer(Audience.INTERNAL), "parcel")[0].counts == {"parcel": 11}
    assert counted_words(PUBLIC, "parcel")[0].counts == {"parcel": 10}
    with workspace_scope(other_workspace.pk):
        write_many(["n1"])
        assert counted_words(PUBLIC, "parcel")[0] == ScopeStats(1, {"parcel": 1})


@pytest.mark.parametrize("mode", ["hybrid", "lexical", "vector"])
@pytest.mark.parametrize(("hidden", "reads_most"), [(10, True), (11, False)])
def test_articles_are_looked_up_one_by_one_only_for_a_viewer_who_may_read_most_of_them(
    large: Workspace, hidden: int, reads_most: bool, mode: Any
) -> None:
    """Both ways find the same."""
    internal = [write(f"h{n}", f"parcel number {n} for the team", audience=Audience.INTERNAL).pk for n in range(hidden)]
    sync_articles(internal)
    for text in ("parcel", "parcel 7 from the warehouse", "parcel 7 from the warehouse"):
        assert counted_words(PUBLIC, text)[0].reads_most == reads_most
        with CaptureQueriesContext(connection) as ran:
            found = names(search(text, viewer=PUBLIC, limit=30, mode=mode))
        one_by_one = [
            query["sql"] for query in ran.captured_queries if "EXISTS (SELECT FROM kb_article a" in query["sql"]
        ]
        assert bool(one_by_one) == reads_most
    assert found[0] == "m7"
    assert sorted(found) == sorted(f"m{n}" for n in range(10))


def test_a_small_scope_is_counted_each_time(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common_counts, "COMMON_FROM", 3)
    write_many(f"m{n}" for n in range(10))
    for _ in range(2):
        assert counted_words(PUBLIC, "parcel") == (ScopeStats(10, {"parcel": 10}), ["parcel"])
