"""Vectors that all processes share: the first process that needs one computes it."""

from pathlib import Path
from typing import ClassVar

import pytest
from django.core.cache import cache
from pytest_django.fixtures import Settings

from kb import ports
from kb.indexing.vector_cache import forget, passage_vectors, question_vectors, recent, share
from kb.indexing.vector_file import VectorFile
from kb.ports import RecipeSpec
from kb.testing import HashEmbedder, hashed_vector

ZIP, POLE = "A new zip costs 25 euros.", "A pole costs 9 euros."


class SecondEmbedder(HashEmbedder):
    """A second model, with a different recipe and different vectors."""

    recipe: ClassVar = RecipeSpec(name="second-384", model="second", dimensions=384)

    def query(self, text: str) -> list[float]:
        return hashed_vector(f"second {text}", self.recipe.dimensions)


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    forget()
    cache.clear()


def test_a_process_computes_only_vectors_that_no_process_has_computed(embedder: HashEmbedder) -> None:
    first = passage_vectors([ZIP])
    assert (passage_vectors([ZIP]), embedder.embedded) == (first, [ZIP])
    forget()  # as in another process
    assert passage_vectors([ZIP, POLE])[ZIP] == first[ZIP]
    assert embedder.embedded == [ZIP, POLE]


def test_a_question_and_a_passage_of_the_same_words_are_kept_apart(embedder: HashEmbedder) -> None:
    question_vectors([ZIP])
    passage_vectors([ZIP])
    assert embedder.embedded == [ZIP] and len(recent()) == 2


def test_another_embedder_never_gets_the_vectors_of_the_former_one(settings: Settings) -> None:
    former = question_vectors([ZIP])[ZIP]
    settings.KB_EMBEDDER = f"{__name__}.SecondEmbedder"
    assert question_vectors([ZIP])[ZIP] == pytest.approx(ports.embedder().query(ZIP), abs=1e-3)
    assert question_vectors([ZIP])[ZIP] != former


def test_vectors_of_a_file_are_used_and_equal_computed_ones(embedder: HashEmbedder, tmp_path: Path) -> None:
    made = passage_vectors([ZIP])
    file = VectorFile(tmp_path / "compared", embedder.recipe)
    file.add(list(recent().items()))
    forget()
    cache.clear()
    share(VectorFile(file.path, embedder.recipe))
    assert passage_vectors([ZIP]) == made and embedder.embedded == [ZIP]


@pytest.mark.usefixtures("cache_away")
def test_without_a_cache_each_process_computes_its_own_vectors(embedder: HashEmbedder) -> None:
    assert passage_vectors([ZIP]) == passage_vectors([ZIP])
    forget()
    passage_vectors([ZIP])
    assert embedder.embedded == [ZIP, ZIP]
