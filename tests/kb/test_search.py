"""The articles that a question finds for each viewer, and those it never finds."""

import json
import logging
from collections.abc import Iterable
from dataclasses import replace
from io import StringIO
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.contrib.postgres.search import SearchQuery
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from kb.access import Surface, Viewer, may_read
from kb.errors import EmbeddingUnavailable, RecipeMismatch
from kb.importing.importer import import_documents
from kb.importing.parsed_document import Document
from kb.indexing.full_text import configuration
from kb.indexing.models import Chunk, Recipe
from kb.indexing.sync import sync_articles
from kb.models import Article, Audience, State
from kb.search import Retrieval, candidates, lexical_query, query_terms, search
from kb.services import Change, archive, create_article, publish, save_draft
from kb.testing import HashEmbedder
from kb.translations import translate
from kb.validation import ArticleText
from supportbot import sql
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.ids import uuid7
from tests.stored_rows import created_once

pytestmark = pytest.mark.django_db

PUBLIC = Viewer()
TOPICS = {
    "returns": "You may send a jacket back within thirty days. The refund follows once the parcel has arrived.",
    "delivery": "A parcel to Austria takes four days and costs nine euros.",
    "warranty": "A tent has a guarantee of five years against torn seams.",
    "vouchers": "A voucher is valid for three years and cannot be paid out in cash.",
}


def write(name: str, body: str, **facts: Any) -> Article:
    return publish(create_article(Change(title=name.title(), body=body, **facts), external_id=name).pk)


@pytest.fixture
def shop(workspace: Workspace) -> Workspace:
    """Four indexed articles."""
    created_once("topics", workspace, write_topics)
    return workspace


def write_topics() -> Article:
    """Write and index the articles; return the last one."""
    written = [write(name, body) for name, body in TOPICS.items()]
    sync_articles([article.pk for article in written])
    return written[-1]


def names(found: Retrieval) -> list[str]:
    return [passage.external_id for passage in found.passages]


@pytest.mark.parametrize("mode", ["hybrid", "lexical", "vector"])
def test_the_passage_that_answers_comes_first(shop: Workspace, mode: Any) -> None:
    found = search("how long is a voucher valid", viewer=PUBLIC, mode=mode)
    first = found.passages[0]
    assert first.external_id == "vouchers"
    article = Article.objects.get(pk=first.article_id)
    assert article.live_revision is not None
    assert article.live_revision.body[first.start : first.end] == first.text
    assert (first.title, first.revision, first.locale) == ("Vouchers", 1, "en")
    assert (first.similarity is None) == (mode == "lexical")
    assert [passage.score for passage in found.passages] == sorted((p.score for p in found.passages), reverse=True)


def test_the_limit_is_respected(shop: Workspace) -> None:
    assert len(search("parcel jacket tent voucher", viewer=PUBLIC, limit=2).passages) == 2


def test_a_word_that_is_only_in_the_title_is_found(workspace: Workspace) -> None:
    sync_articles([write("gaiters", "They keep snow out.").pk, write("boots", "They keep feet warm.").pk])
    assert names(search("gaiters", viewer=PUBLIC, mode="lexical")) == ["gaiters"]


def test_a_published_text_is_found_before_it_has_vectors(workspace: Workspace) -> None:
    write("returns", TOPICS["returns"])
    assert Chunk.objects.filter(embedding=None).exists()
    found = search("send a jacket back", viewer=PUBLIC)
    assert names(found) == ["returns"]
    assert found.is_answerable
    assert found.passages[0].similarity is None


def test_an_edit_is_found_at_once_and_the_old_text_is_gone(shop: Workspace) -> None:
    row = Article.objects.get(external_id="delivery")
    save_draft(row.pk, Change(body="A parcel to Norway takes nine days."))
    assert names(search("Norway", viewer=PUBLIC, mode="lexical")) == []
    publish(row.pk)
    assert names(search("Norway", viewer=PUBLIC, mode="lexical")) == ["delivery"]
    assert names(search("Austria", viewer=PUBLIC, mode="lexical")) == []


@pytest.mark.parametrize("mode", ["hybrid", "lexical", "vector"])
def test_an_archived_article_is_never_found(shop: Workspace, mode: Any) -> None:
    archive(Article.objects.get(external_id="vouchers").pk)
    assert "vouchers" not in names(search("voucher valid three years", viewer=PUBLIC, mode=mode))


def test_an_article_archived_in_the_database_is_hidden_too(shop: Workspace) -> None:
    Article.objects.filter(external_id="vouchers").update(state=State.ARCHIVED)
    assert Chunk.objects.filter(article__external_id="vouchers").exists()
    assert "vouchers" not in names(search("voucher valid three years", viewer=PUBLIC))


def test_search_finds_exactly_what_the_viewer_may_read(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [write(f"{kind}-{n}", f"A parcel, number {n}.", audience=kind) for kind in Audience.values for n in range(3)]
    sync_articles([row.pk for row in rows])
    archive(rows[0].pk)
    articles = list(Article.objects.all())
    for scan in ("exact", "index"):
        if scan == "index":
            monkeypatch.setattr("kb.search.retrieval.EXACT_UP_TO", 0)
        for audience, mode in product(Audience.values, ("hybrid", "lexical", "vector")):
            viewer = Viewer(audience)
            found = search("parcel number", viewer=viewer, limit=50, mode=mode)
            readable = {row.external_id for row in articles if may_read(viewer, row)}
            assert set(names(found)) == readable, (scan, audience, mode)


@pytest.mark.parametrize("scan", ["exact", "index"])
def test_identical_texts_of_another_workspace_are_never_found(
    shop: Workspace, other_workspace: Workspace, monkeypatch: pytest.MonkeyPatch, scan: str
) -> None:
    if scan == "index":
        monkeypatch.setattr("kb.search.retrieval.EXACT_UP_TO", 0)
    with workspace_scope(other_workspace.pk):
        sync_articles([write(name, body).pk for name, body in TOPICS.items()])
        theirs = set(Chunk.objects.values_list("pk", flat=True))
    for question in (*TOPICS.values(), "parcel", "voucher tent jacket"):
        for mode in ("hybrid", "lexical", "vector"):
            found = {passage.chunk_id for passage in search(question, viewer=PUBLIC, limit=50, mode=mode).passages}
            assert found and not found & theirs


def test_the_same_article_in_the_viewers_language_comes_first(workspace: Workspace) -> None:
    body = "Returns: Rücksendung within thirty days."
    sync_articles([write("returns-en", body, locale="en").pk, write("returns-de", body, locale="de").pk])
    assert names(search("Rücksendung", viewer=Viewer(locale="de-AT"))) == ["returns-de", "returns-en"]
    assert names(search("Rücksendung", viewer=Viewer(locale="en"))) == ["returns-en", "returns-de"]


def test_german_words_are_found_in_other_forms(workspace: Workspace) -> None:
    write("fristen", "Bestellte Jacken können zurückgeschickt werden.", locale="de")
    write("returns", "Jackets can be sent back.", locale="en")
    assert names(search("Wie schicke ich eine bestellte Jacke zurück?", viewer=PUBLIC, mode="lexical")) == ["fristen"]


def test_without_the_model_search_uses_words_and_logs_it(
    shop: Workspace, embedder: HashEmbedder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(embedder, "query", unavailable)
    with caplog.at_level(logging.WARNING, "kb.search"):
        found = search("how long is a voucher valid", viewer=PUBLIC)
    assert names(found)[0] == "vouchers"
    assert found.is_answerable
    assert "embedding_unavailable" in caplog.text
    assert "voucher" not in caplog.text


def test_without_the_model_and_without_the_fallback_it_is_an_error(
    shop: Workspace, embedder: HashEmbedder, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(embedder, "query", unavailable)
    with pytest.raises(EmbeddingUnavailable):
        search("voucher", viewer=PUBLIC, mode="vector")
    settings.KB_LEXICAL_FALLBACK = False
    with pytest.raises(EmbeddingUnavailable):
        search("voucher", viewer=PUBLIC)
    assert names(search("voucher", viewer=PUBLIC, mode="lexical")) == ["vouchers"]


def test_vectors_of_another_recipe_are_not_compared(shop: Workspace, settings: Settings) -> None:
    Recipe.objects.filter(is_active=True).update(name="another model")
    assert names(search("voucher", viewer=PUBLIC)) == ["vouchers"]
    with pytest.raises(RecipeMismatch):
        search("voucher", viewer=PUBLIC, mode="vector")


def unavailable(text: str) -> list[float]:
    raise EmbeddingUnavailable


def test_empty_questions_are_harmless(shop: Workspace) -> None:
    for query in ("", "  ", "\x00", "\ud800", "' | & ! <-> :*", "the of and", "\\", "x" * 100_000, "🤷"):
        found = search(query, viewer=PUBLIC)
        assert 0.0 <= found.confidence <= 1.0, query[:20]
        assert len(found.passages) <= 8, query[:20]


@pytest.mark.long
@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.text(max_size=200))
def test_any_question_can_be_searched_for(shop: Workspace, query: str) -> None:
    search(query, viewer=PUBLIC)


def test_an_empty_knowledge_base_has_no_answer(workspace: Workspace) -> None:
    found = search("voucher", viewer=PUBLIC)
    assert (found.passages, found.confidence, found.is_answerable) == ((), 0.0, False)


def test_a_question_about_something_else_is_not_answerable(shop: Workspace) -> None:
    assert search("how long is a voucher valid", viewer=PUBLIC).is_answerable
    assert not search("who won the chess championship in Reykjavik", viewer=PUBLIC).is_answerable


def test_a_long_message_finds_everything_it_asks_about(shop: Workspace) -> None:
    chatter = "By the way, we had such lovely weather on our last journey that everybody was happy about it. " * 3
    message = f"{chatter} How many days does a parcel to Austria take? {chatter} How long is a voucher valid in years?"
    assert set(names(search(message, viewer=PUBLIC, limit=2))) == {"delivery", "vouchers"}


def write_many(names: Iterable[str]) -> None:
    """Import and index an article for each name, about the parcel with the number in it."""
    texts = {name: ArticleText(name, f"parcel number {name[1:]} from the warehouse") for name in names}
    documents = [Document(origin=name, external_id=name, wording=text) for name, text in texts.items()]
    sync_articles(import_documents(documents).article_ids)


@pytest.mark.long
def test_the_index_scan_finds_the_same_as_the_exact_one_with_a_narrow_filter(
    workspace: Workspace, other_workspace: Workspace
) -> None:
    with workspace_scope(other_workspace.pk):
        write_many(f"n{n}" for n in range(150))
    write_many(f"m{n}" for n in range(12))
    recipe = Recipe.objects.get(is_active=True)
    scope = candidates.Scope(workspace.pk, recipe, PUBLIC)
    vector = HashEmbedder().query("parcel number 7 from the warehouse")
    exact = candidates.exact_neighbours(scope, vector, limit=10)
    assert len(exact) == 10
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    found = candidates.approximate_neighbours(scope, vector, limit=10)
    assert [round(row.similarity or 0, 4) for row in found] == [round(row.similarity or 0, 4) for row in exact]


def test_a_scan_of_the_index_takes_one_statement_and_leaves_the_callers_transaction_as_it_was(shop: Workspace) -> None:
    scope = candidates.Scope(shop.pk, Recipe.objects.get(is_active=True), PUBLIC)
    with transaction.atomic():
        with CaptureQueriesContext(connection) as ran:
            assert candidates.approximate_neighbours(scope, HashEmbedder().query("is a voucher valid"), limit=2)
        with connection.cursor() as cursor:
            cursor.execute("SHOW enable_sort")
            assert (len(ran.captured_queries), cursor.fetchone()) == (1, ("on",))


def test_a_search_takes_a_constant_number_of_queries(shop: Workspace, django_assert_max_num_queries: Any) -> None:
    asked = "how long is a voucher valid"
    search(asked, viewer=PUBLIC)  # lexemes are queried once
    with django_assert_max_num_queries(4):
        search(asked, viewer=Viewer(locale="en"))
    follow_up = "and how long is that"
    with django_assert_max_num_queries(6):  # with the lexemes of both texts
        search(follow_up, viewer=Viewer(locale="en"), context="A voucher is valid for three years.")
    long = " ".join(f"Question {number}: {asked}, and does it cost anything?" for number in range(20))
    search(long, viewer=Viewer(locale="en"))
    with CaptureQueriesContext(connection) as ran:
        parts = search(long, viewer=Viewer(locale="en")).parts
    assert parts > 1 and len(ran.captured_queries) <= 3 + 4 * parts  # each part is searched again with feedback


@pytest.mark.parametrize(("is_large", "reads_most"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("are_common", [False, True])
def test_both_indexes_find_the_same_together_as_alone(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch, are_common: bool, is_large: bool, reads_most: bool
) -> None:
    if is_large:
        monkeypatch.setattr(candidates, "EXACT_UP_TO", 3)
    archive(write("vouchers-old", TOPICS["vouchers"]).pk)
    if are_common:
        monkeypatch.setattr(lexical_query, "_selective_terms", lambda known, stats: [])
    scope, locales = candidates.open_scope(PUBLIC)
    (terms,) = query_terms.terms(["is a voucher or a parcel valid for a guarantee"], [*map(configuration, locales)])
    stats = replace(candidates.scope_stats(scope, terms), reads_most=reads_most)
    words = lexical_query.plan_lexical_query(terms, stats)
    assert words is not None and len(words.queries) == 1 + are_common
    vector = HashEmbedder().query("is a voucher valid")
    part = candidates.PartQuery(vector, terms, words)
    found = candidates.neighbours_and_matches(scope, stats, part, limit=3)
    assert found.by_vector == candidates.exact_neighbours(scope, vector, terms, limit=3)
    assert found.by_words == candidates.lexical_matches(scope, part, words.queries[0], limit=3)
    assert len(found.by_vector) == 3
    for one in (*found.by_vector, *found.by_words):
        assert one.chunk_id in ids_of_live_chunks()
        assert one.contains == [bool(contains(one.chunk_id, term.tsquery)) for term in terms]


def test_the_passages_in_scope_are_counted_as_the_scans_see_them(
    workspace: Workspace, other_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size of a scope is counted from articles, everything else from chunks: both must mean the same rows."""
    parts = "\n\n".join(f"## Part {number}\n\n{'The parcel is on its way. ' * 60}" for number in range(3))
    english, german, swedish = (write(f"{locale}-parcel", parts, locale=locale) for locale in ("en", "de-at", "sv"))
    translate(german, english)
    hidden = [
        write("members", parts, locale="en", audience=Audience.SIGNED_IN),
        write("team", parts, locale="de", audience=Audience.INTERNAL),
        write("off", parts, locale="en", for_assistant=False),
        write("elsewhere", parts, locale="en", on_help_pages=False),
    ]
    archive(write("old", parts, locale="en").pk)
    create_article(Change(title="Draft", body=parts, locale="en"), external_id="draft")
    sync_articles([row.pk for row in (english, german, swedish, *hidden)])
    with workspace_scope(other_workspace.pk):
        sync_articles([write("theirs", parts, locale="en").pk])
    recipe = Recipe.objects.get(is_active=True)
    built = Recipe.objects.create(name="next", model="next", dimensions=recipe.dimensions)
    for row in Chunk.objects.filter(article__in=[english, swedish]):  # an index that is being built
        row.pk, row.recipe, row._state.adding = uuid7(), built, True
        row.save()

    viewers = [Viewer(audience, "en", surface) for audience, surface in product(Audience.values, Surface)]
    viewers += [Viewer(without=frozenset(gone)) for gone in ([english.pk], [german.pk, swedish.pk])]
    counted: set[int] = set()
    for viewer, used, into, without in product(viewers, (recipe, built), ("", "de", "fi"), ("", "de", "en")):
        scope = candidates.Scope(workspace.pk, used, viewer, translated_into=into, without=without)
        (expected,), (row_by_row,) = (
            sql.fetch(f"SELECT count(*) FROM kb_chunk c WHERE {condition}", parameters)
            for condition, parameters in (scope.filter(), scope.filter(row_by_row=True))
        )
        assert expected == row_by_row == (candidates.scope_stats(scope, []).chunks,)
        counted.add(*expected)
    each = Chunk.objects.filter(article=english, recipe=recipe).count()
    assert each > 2
    assert {0, each, 2 * each, 3 * each} <= counted and max(counted) == 7 * each
    theirs = candidates.Scope(other_workspace.pk, recipe, Viewer(locale="en"))
    assert candidates.scope_stats(theirs, []).chunks == each
    monkeypatch.setattr(candidates, "EXACT_UP_TO", 4)
    assert candidates.scope_stats(replace(theirs, workspace_id=workspace.pk), []).chunks == 5


def ids_of_live_chunks() -> set[str]:
    return {str(key) for key in Chunk.objects.filter(article__state=State.LIVE).values_list("pk", flat=True)}


def contains(chunk_id: str, tsquery: str) -> bool:
    query = SearchQuery(tsquery, search_type="raw", config="simple")
    return bool(Chunk.objects.filter(pk=chunk_id, search_vector=query).exists())


def test_the_answer_to_a_follow_up_is_found_with_its_context(shop: Workspace) -> None:
    follow_up = "and how long does that take"
    alone, asked = (
        search(follow_up, viewer=PUBLIC, context=context) for context in ("", "A parcel to Austria costs nine euros.")
    )
    assert names(asked)[0] == "delivery"
    assert asked.confidence == alone.confidence  # an earlier topic does not show whether this has an answer


@pytest.mark.parametrize("is_sure", [True, False])
def test_a_question_that_finds_its_answer_needs_no_vector_of_its_context(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch, is_sure: bool
) -> None:
    """Only this vector would have to be computed, because those of a conversation's questions are kept."""
    asked, before = "how long is a voucher valid", "what does a parcel to Austria cost"
    monkeypatch.setattr("kb.search.retrieval._STANDS_ALONE", 0.3 if is_sure else 0.9)  # with 0.4, it finds its answer
    embedded: set[str] = set()
    query = HashEmbedder.query
    monkeypatch.setattr(HashEmbedder, "query", lambda self, text: embedded.add(text) or query(self, text))
    found = search(asked, viewer=PUBLIC, context="A parcel to Austria costs nine euros.", asked_before=before)
    assert names(found)[0] == "vouchers"
    together = f"parcel Austria costs nine euros. {asked}"
    assert embedded == {asked, before if is_sure else together}


def test_a_question_in_another_language_is_recognised(shop: Workspace) -> None:
    asked = "combien de temps un voucher est-il valid"
    assert search(asked, viewer=Viewer(locale="fr-CH")).is_across
    assert not search(asked, viewer=Viewer(locale="en-GB")).is_across
    assert not search(asked, viewer=PUBLIC).is_across  # its language is unknown
    assert 0 < search("is a voucher valid in Reykjavik", viewer=PUBLIC).share < 1


def test_a_long_message_finds_the_subject_of_each_of_its_parts(shop: Workspace) -> None:
    stories = ("My tent has torn seams after five years.", "The voucher I was given was not valid in three years.")
    text = " ".join(story + " " + " ".join(f"word{n}" for n in range(50)) + "." for story in stories)
    assert set(names(search(text, viewer=PUBLIC, limit=2))) == {"warranty", "vouchers"}
    assert set(names(search(text, viewer=PUBLIC, limit=2, mode="lexical"))) == {"warranty", "vouchers"}


def run(*arguments: str) -> Any:
    out = StringIO()
    call_command(*arguments, "--json", stdout=out, stderr=StringIO())
    return json.loads(out.getvalue())


def test_kb_search_prints_the_promised_fields(shop: Workspace) -> None:
    facts = run("kb_search", "how long is a voucher valid", "-k", "2")
    assert facts["query"] == "how long is a voucher valid" and facts["took_ms"] > 0
    assert len(facts["passages"]) == 2
    first = facts["passages"][0]
    assert {"article", "external_id", "title", "score", "text", "start", "end", "revision"} <= set(first)
    assert (first["external_id"], first["revision"]) == ("vouchers", 1)


def test_kb_search_refuses_an_empty_question(shop: Workspace) -> None:
    with pytest.raises(CommandError, match="The question is empty"):
        run("kb_search", " ")


def test_kb_search_respects_the_audience(workspace: Workspace) -> None:
    write("secret", "The goodwill budget is five hundred.", audience="internal")
    assert run("kb_search", "goodwill budget")["passages"] == []
    assert len(run("kb_search", "goodwill budget", "--audience", "internal")["passages"]) == 1


def questions(folder: Path, *rows: object) -> str:
    path = folder / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_kb_eval_scores_the_results(shop: Workspace, tmp_path: Path) -> None:
    rows = [
        {"id": 1, "question": "how long is a voucher valid", "gold": ["vouchers"]},
        {"id": "2", "scenario": "parcel to Austria", "gold_docs": ["delivery", "nowhere"]},
        {"id": "3", "question": "voucher valid", "gold": ["tents"], "exclude": []},
    ]
    for mode in ("hybrid", "lexical", "vector"):
        facts = run("kb_eval", questions(tmp_path, *rows), "--mode", mode)
        assert list(facts) == ["n", "hit1", "hit5", "recall10", "mrr10", "ndcg10", "p50_ms", "p95_ms"]
        assert (facts["n"], facts["hit1"], facts["recall10"]) == (3, 0.6667, 0.5)


def test_excluded_articles_are_dropped_before_ranking(shop: Workspace, tmp_path: Path) -> None:
    row = {"id": 1, "question": "parcel refund jacket", "gold": ["delivery"], "exclude_docs": ["returns"]}
    assert run("kb_eval", questions(tmp_path, row), "--mode", "lexical")["hit1"] == 1.0
    del row["exclude_docs"]
    assert run("kb_eval", questions(tmp_path, row), "--mode", "lexical")["hit1"] == 0.0


def test_kb_eval_names_missing_articles(shop: Workspace, tmp_path: Path) -> None:
    rows = [{"question": "how long is a voucher valid", "gold": [name]} for name in ("vouchers", "nowhere")]
    errors = StringIO()
    call_command("kb_eval", questions(tmp_path, *rows), stdout=StringIO(), stderr=errors)
    assert "Not among the live articles for --audience public: nowhere (1 of 2)." in errors.getvalue()
    with pytest.raises(CommandError, match=r"nowhere .* Nothing can be measured\. Check --workspace"):
        run("kb_eval", questions(tmp_path, rows[1]))


def test_kb_eval_takes_a_mode_or_the_comparison(shop: Workspace, tmp_path: Path) -> None:
    path = questions(tmp_path, {"question": "how long is a voucher valid", "gold": "vouchers"})
    with pytest.raises(CommandError, match="not allowed with"):
        run("kb_eval", path, "--mode", "lexical", "--compare")


@pytest.mark.parametrize(
    "conversation",
    [
        {
            "question": "and how long does that take",
            "history": [{"speaker": "agent", "text": "To Austria? By parcel."}],
        },
        {
            "messages": [
                {"role": "user", "content": "Do you send a parcel to Austria?"},
                {"role": "customer", "text": "and how long does that take"},
            ]
        },
    ],
)
def test_kb_eval_searches_as_the_assistant_does(shop: Workspace, tmp_path: Path, conversation: dict[str, Any]) -> None:
    path = questions(tmp_path, {"id": 1, "gold": "delivery", **conversation})
    assert run("kb_eval", path, "--as-asked")["hit1"] == 1.0


def test_kb_eval_compares_the_modes(shop: Workspace, tmp_path: Path) -> None:
    row = {"id": 1, "question": "how long is a voucher valid", "gold": "vouchers"}
    facts = run("kb_eval", questions(tmp_path, row), "--compare")
    assert set(facts["modes"]) == {"hybrid", "lexical", "vector"}
    assert facts["hybrid_over"]["lexical"]["mrr10"] == [0.0, 0.0, 0.0]


BROKEN_QUESTIONS = [
    ("", "no questions"),
    ("{", "broken.jsonl:1 is not valid JSON"),
    ("[]", "not a JSON object"),
    ('{"gold": ["a"]}', "no question"),
    ('{"question": "x"}', "lists no articles"),
    ('{"messages": [{"role": "assistant", "content": "x"}]}', "does not end with a customer's question"),
    ('{"messages": []}', "does not end with a customer's question"),
    ('{"question": "x", "history": "y"}', "not a list of messages"),
    ('{"question": "x", "history": ["y"]}', "without `role` or `content`"),
    ('{"question": "x", "gold": [{}]}', "not an external id"),
    ("\xff", "not UTF-8"),
]


def test_a_broken_question_file_is_reported_in_one_message(shop: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "broken.jsonl"
    for content, cause in BROKEN_QUESTIONS:
        path.write_bytes(content.encode("latin-1"))
        with pytest.raises(CommandError, match=cause):
            run("kb_eval", str(path))


def test_a_missing_question_file_is_reported_in_one_message(shop: Workspace, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        run("kb_eval", str(tmp_path / "none.jsonl"))
