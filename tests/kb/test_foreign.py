"""Questions in a language without pages."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from kb.access import Viewer
from kb.embedders.packaged import RECIPE
from kb.indexing.sync import sync_articles
from kb.models import Article, Audience
from kb.search import query_preparation, retrieval, search
from kb.search.candidates import covers, open_scope
from kb.search.confidence import Calibration, Evidence, abroad_calibration, elsewhere_calibration
from kb.search.fusion import Candidate, far_neighbour, lead
from kb.testing import HashEmbedder, hashed_vector
from kb.translations import translate
from supportbot.accounts.models import Workspace
from tests.kb.test_search import names, write

# Near an English page of the tests. Its first word is on no page, like the words of a language without pages.
ASKED_IN_GERMAN = "ankunftszeit check in time arrival"
COMMON = "combien de temps pour"  # words that are in every question, and in a page that answers none


@pytest.fixture
def centre(monkeypatch: pytest.MonkeyPatch) -> Sequence[float]:
    """The mean question of the test's embedder."""
    mean = tuple(hashed_vector(COMMON, HashEmbedder.recipe.dimensions))
    monkeypatch.setattr(query_preparation, "_centre", {HashEmbedder.recipe.name: mean}.get)
    return mean


@pytest.mark.django_db
def test_a_page_near_to_all_questions_is_not_the_answer_to_a_foreign_one(
    workspace: Workspace, centre: Sequence[float]
) -> None:
    pages = {"newsletter": f"{COMMON} newsletter", "returns": "renvoyer article returns refund parcel label"}
    sync_articles([write(name, body, locale="en").pk for name, body in pages.items()])
    asked = f"{COMMON} renvoyer article"
    abroad = search(asked, viewer=Viewer(locale="fr"), mode="vector")
    assert names(abroad) == ["returns", "newsletter"]
    known = search(asked, viewer=Viewer(locale="en"), mode="vector")
    assert names(known) == ["newsletter", "returns"]  # within one language, the question's vector is used unchanged
    # The confidence was fitted on cosines to the unchanged question.
    cosines = [{found.external_id: found.similarity for found in result.passages} for result in (abroad, known)]
    assert cosines[0] == pytest.approx(cosines[1], abs=1e-3)


@pytest.mark.django_db
def test_a_foreign_question_finds_only_one_of_a_page_and_its_translations(workspace: Workspace) -> None:
    pages = [write(name, "zelt tent", locale=name[:2]) for name in ("en-tent", "de-tent", "de-only", "it-only")]
    translate(pages[1], pages[0])
    sync_articles([page.pk for page in pages])
    assert sorted(names(search("tent", viewer=Viewer(locale="fr")))) == ["de-only", "en-tent", "it-only"]
    assert sorted(names(search("tent", viewer=Viewer(locale="de")))) == sorted(page.external_id for page in pages)


@pytest.mark.django_db
def test_pages_in_a_language_whose_code_begins_alike_are_not_taken_for_translations(workspace: Workspace) -> None:
    """Filipino is `fil`, and Finnish is `fi`."""
    viewer = Viewer(locale="fi")
    swedish, filipino = write("sv-tent", "zelt tent", locale="sv"), write("fil-tent", "zelt tent", locale="fil")
    translate(filipino, swedish)
    sync_articles([swedish.pk, filipino.pk])
    scope = replace(open_scope(viewer)[0], translated_into="", without="fi")
    assert covers(scope, str(swedish.pk))
    finnish = write("fi-tent", "zelt tent", locale="fi-fi")
    translate(finnish, swedish)
    sync_articles([finnish.pk])
    assert not covers(scope, str(swedish.pk))
    only = replace(scope, without="", translated_into="fi")
    assert [covers(only, str(page.pk)) for page in (swedish, filipino, finnish)] == [False, False, True]


@pytest.mark.django_db
def test_a_translation_is_found_if_the_english_page_may_not_be_read(workspace: Workspace) -> None:
    english = write("en-tent", "zelt tent", locale="en", audience=Audience.SIGNED_IN)
    german = write("de-tent", "zelt tent", locale="de")
    translate(german, english)
    sync_articles([english.pk, german.pk])
    assert names(search("tent", viewer=Viewer(locale="fr"))) == ["de-tent"]
    assert names(search("tent", viewer=Viewer(Audience.SIGNED_IN, locale="fr"))) == ["en-tent"]


def write_each(pages: Mapping[str, str]) -> dict[str, Article]:
    """Store an article for each name, whose first letters are its language, and its text."""
    return {name: write(name, body, locale=name[:2]) for name, body in pages.items()}


@pytest.fixture
def judged_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pages in another language answer if their cosine is at least 0.6."""
    judged = Calibration({"centred": 100.0}, -60.0, 0.5)
    monkeypatch.setattr(retrieval, "elsewhere_calibration", {HashEmbedder.recipe.name: judged}.get)


@pytest.mark.django_db
@pytest.mark.usefixtures("judged_elsewhere")
def test_a_page_without_a_version_in_the_language_is_found_if_it_is_nearest(workspace: Workspace) -> None:
    pages = {"en-arrival": "check in time arrival", "de-sauna": "sauna im keller", "de-cots": "betten check"}
    sync_articles([page.pk for page in write_each(pages).values()])
    found = search(ASKED_IN_GERMAN, viewer=Viewer(locale="de"))
    assert names(found) == ["en-arrival"]
    assert found.is_answerable
    assert found.is_abroad
    assert set(names(search(ASKED_IN_GERMAN, viewer=Viewer(locale="en")))) == set(pages)


@pytest.mark.django_db
@pytest.mark.usefixtures("judged_elsewhere")
def test_a_page_in_the_language_with_all_words_is_found_although_another_is_nearer(workspace: Workspace) -> None:
    pages = {
        "en-arrival": "check in time",
        "de-arrival": "check in time und vieles mehr rund um haus hof garten keller",
    }
    sync_articles([page.pk for page in write_each(pages).values()])
    found = search("check time", viewer=Viewer(locale="de"))
    assert set(names(found)) == set(pages)
    assert not found.is_abroad


@pytest.mark.django_db
@pytest.mark.usefixtures("judged_elsewhere")
def test_nothing_answers_if_the_nearest_page_is_in_another_language_but_not_near(workspace: Workspace) -> None:
    pages = {"en-arrival": "check in time for early arrival of groups", "de-sauna": "sauna im keller"}
    sync_articles([page.pk for page in write_each(pages).values()])
    found = search("check keller arrival late", viewer=Viewer(locale="de"))
    assert "de-sauna" in names(found)
    assert not found.is_answerable


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("farther", "answers_from", "is_abroad"), [(0.2, 0.4, True), (0.1, 0.4, False), (0.2, 0.9, False)]
)
def test_a_page_in_another_language_may_be_a_little_farther_if_it_answers(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, farther: float, answers_from: float, is_abroad: bool
) -> None:
    """The English page is farther by 0.14; the German one shares only stop words with the question."""
    judged = Calibration({"centred": 100.0}, -100.0 * answers_from, 0.5)
    monkeypatch.setattr(retrieval, "elsewhere_calibration", {HashEmbedder.recipe.name: judged}.get)
    asked, viewer = "wie ist der die ankunftszeit check time arrival", Viewer(locale="de")
    pages = {"en-page": "check time arrival group", "de-page": "wie ist der die"}
    sync_articles([page.pk for page in write_each(pages).values()])
    monkeypatch.setattr(retrieval, "_FARTHER_ELSEWHERE", -1.0)
    alone = search(asked, viewer=viewer)
    monkeypatch.setattr(retrieval, "_FARTHER_ELSEWHERE", farther)
    found = search(asked, viewer=viewer)
    assert found.is_abroad is is_abroad
    assert names(found) == ["en-page"] if is_abroad else replace(found, took_ms=0.0) == replace(alone, took_ms=0.0)


@pytest.mark.django_db
@pytest.mark.usefixtures("judged_elsewhere")
def test_a_page_with_a_version_in_the_language_is_not_searched_in_another(workspace: Workspace) -> None:
    pages = [write("en-arrival", "check in time arrival", locale="en"), write("de-arrival", "anreise", locale="de")]
    translate(pages[1], pages[0])
    sync_articles([page.pk for page in pages])
    found = search(ASKED_IN_GERMAN, viewer=Viewer(locale="de"))
    assert set(names(found)) == {"en-arrival", "de-arrival"}
    assert not found.is_abroad


@pytest.mark.django_db
@pytest.mark.usefixtures("judged_elsewhere")
def test_no_other_page_answers_if_the_nearest_has_a_version_in_the_language(workspace: Workspace) -> None:
    """If somebody searches German help pages in English, every English page is nearer than the German ones."""
    pages = {"en-arrival": "check in time arrival", "de-arrival": "anreise", "en-check": "check in time arrival groups"}
    written = write_each(pages)
    translate(written["de-arrival"], written["en-arrival"])
    sync_articles([page.pk for page in written.values()])
    found = search(ASKED_IN_GERMAN, viewer=Viewer(locale="de"))
    assert set(names(found)) == set(pages)
    assert not found.is_abroad


@pytest.mark.django_db
@pytest.mark.usefixtures("judged_elsewhere")
def test_the_english_version_answers_if_the_nearest_page_is_in_a_third_language(workspace: Workspace) -> None:
    pages = {"fr-arrival": "check in time arrival", "en-check": "check in time arrival groups", "de-sauna": "sauna"}
    written = write_each(pages)
    translate(written["fr-arrival"], written["en-check"])
    sync_articles([page.pk for page in written.values()])
    assert names(search(ASKED_IN_GERMAN, viewer=Viewer(locale="de"))) == ["en-check"]


def test_among_few_passages_the_far_neighbour_is_in_the_middle() -> None:
    near = [Candidate(str(place), 1 - place / 100) for place in range(12)]
    assert lead(near, far_neighbour(12)) == pytest.approx(0.05)
    assert [far_neighbour(passages) for passages in (0, 3, 79, 80, 500)] == [2, 2, 40, 40, 40]


def test_the_packaged_model_judges_pages_in_other_languages_by_one_similarity() -> None:
    calibration = elsewhere_calibration(RECIPE.name)
    assert calibration is not None
    assert calibration.answers(Evidence(centred=0.475))
    assert not calibration.answers(Evidence(centred=0.46))
    assert elsewhere_calibration("another") is None


def test_vectors_of_a_model_without_a_known_mean_are_unchanged() -> None:
    assert query_preparation.without_common_part([0.6, 0.8], "another") == [0.6, 0.8]


def test_the_packaged_model_has_a_mean_question_of_its_size() -> None:
    moved = query_preparation.without_common_part([1.0] + [0.0] * (RECIPE.dimensions - 1), RECIPE.name)
    assert len(moved) == RECIPE.dimensions
    assert moved[1:] != [0.0] * (RECIPE.dimensions - 1)


def test_a_question_in_another_language_needs_a_near_page_that_stands_out() -> None:
    calibration = abroad_calibration(RECIPE.name)
    assert calibration is not None
    assert calibration.answers(Evidence(centred=0.53, centred_lead=0.06))
    assert not calibration.answers(Evidence(centred=0.53, centred_lead=0.01))
    assert not calibration.answers(Evidence(centred=0.42, centred_lead=0.06))
    assert abroad_calibration("another") is None


@pytest.mark.parametrize(
    ("asked", "locales", "is_foreign"),
    [("fr-CH", ["en", "de"], True), ("de-AT", ["en", "de"], False), ("fr", ["en", ""], False), ("fr", [], False),
     (None, ["en"], False), ("", ["en"], False)],
)  # fmt: skip
def test_a_question_is_foreign_if_no_page_has_its_language(
    asked: str | None, locales: list[str], is_foreign: bool
) -> None:
    assert query_preparation.is_foreign(asked, locales) is is_foreign
