"""The words of a question that are searched for, and their language."""

import pytest
from django.db import connection

from kb.indexing.full_text import configuration, loosen
from kb.indexing.models import Chunk
from kb.search.query_terms import MAX_WORDS, terms, words
from kb.services import Change, create_article, publish, save_draft
from supportbot.accounts.models import Workspace

pytestmark = pytest.mark.django_db


def queries_of(question: str, *configurations: str) -> dict[str, str]:
    return {term.word: term.tsquery for term in terms([question], configurations)[0]}


def matches(vector: str, query: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::tsvector @@ %s::tsquery", [vector, query])
        return bool(cursor.fetchone()[0])


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("de", "german"),
        ("de-AT", "german"),
        ("EN_us", "english"),
        ("nb", "norwegian"),
        ("xx", "simple"),
        ("", "simple"),
    ],
)
def test_a_locale_names_its_configuration(locale: str, expected: str) -> None:
    assert configuration(locale) == expected


def test_stop_words_are_dropped_and_forms_are_stemmed() -> None:
    found = queries_of("How do I return the jackets?", "english")
    assert list(found) == ["return", "jackets"]
    assert "'jacket'" in found["jackets"]


@pytest.mark.parametrize(
    ("question", "telling"),
    [
        ("Wie kann ich die Jacken zurückgeben?", ["jacken", "zurückgeben"]),
        ("Hur kan jag få tillbaka pengarna för min jacka?", ["få", "tillbaka", "pengarna", "jacka"]),
        ("Czy mogę zwrócić kurtkę i kiedy dostanę pieniądze?", ["mogę", "zwrócić", "kurtkę", "dostanę", "pieniądze"]),
        ("we're waiting for the jackets", ["waiting", "jackets"]),
        ("كم يومًا لدي لإرجاع هذه الخيمة وما هي الشروط؟", ["يوم", "لدي", "لإرجاع", "الخيمة", "وما", "الشروط"]),
    ],
)
def test_a_question_loses_the_stop_words_of_its_own_language(question: str, telling: list[str]) -> None:
    assert list(queries_of(question, "english")) == telling


def test_a_word_has_the_lexemes_of_every_language() -> None:
    query = queries_of("Where are my Bestellungen", "english", "german")["bestellungen"]
    assert {"'bestellungen'", "'bestell'"} <= set(query.split(" | "))


def test_all_forms_of_a_word_match_without_a_stemmer_in_the_database(workspace: Workspace) -> None:
    """PostgreSQL cannot stem Polish."""
    body = "Na zwrot towarów są 30 dni. Zwroty przyjmujemy w każdym sklepie."
    publish(create_article(Change(title="Zasady", body=body, locale="pl")).pk)
    [vector] = Chunk.objects.values_list("search_vector", flat=True)
    found = {term.word: matches(vector, term.tsquery) for term in terms(["zwrotu towaru rabatu ran"], ["simple"])[0]}
    assert found == {"zwrotu": True, "towaru": True, "rabatu": False, "ran": False}


def test_stop_words_alone_give_no_terms() -> None:
    assert terms(["what is it"], ["english"]) == [[]]


def test_a_long_question_is_cut() -> None:
    assert len(terms([" ".join(f"word{number}" for number in range(1_000))], ["english"])[0]) <= MAX_WORDS


def test_words_are_split_at_separators() -> None:
    assert words("SAMD/AVR arduino.cc v1.8.19 order-id snake_case, 4.90€") == [
        "samd", "avr", "arduino", "cc", "v1.8.19", "order", "id", "snake", "case", "4.90"
    ]  # fmt: skip
    assert loosen("a/b").split() == ["a", "b"]


def test_title_headings_and_text_are_indexed_in_the_articles_language(workspace: Workspace) -> None:
    change = Change(title="Rücksendungen", body="## Fristen\n\nDie Jacken kommen **zurück**.", locale="de")
    row = publish(create_article(change).pk)
    vector = str(Chunk.objects.get(article=row).search_vector)
    assert "'rucksend':1A" in vector and "'frist':2B" in vector and "'jack':" in vector


def test_a_change_of_language_reindexes_the_words(workspace: Workspace) -> None:
    row = publish(create_article(Change(title="Jackets", body="Jackets go back.", locale="en")).pk)
    assert "'jacket':" in str(Chunk.objects.get(article=row).search_vector)
    save_draft(row.pk, Change(locale="sw"))
    assert "'jackets':" in str(Chunk.objects.get(article=row).search_vector)
