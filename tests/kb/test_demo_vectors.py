"""The demo's articles ship with their vectors, so that a first start embeds nothing."""

from pathlib import Path

from kb.embedders.packaged import PackagedEmbedder
from kb.importing.loaders import load
from kb.importing.parsed_document import Document
from kb.indexing.chunking import chunk, content_hash, embedding_text
from kb.indexing.vector_file import VectorFile

KNOWLEDGE = Path(__file__).resolve().parents[2] / "examples" / "knowledge"


def test_every_passage_of_the_demo_has_a_shipped_vector() -> None:
    recipe = PackagedEmbedder.recipe
    shipped = VectorFile(KNOWLEDGE / "vectors.e5", recipe)
    missing = [
        f"{document.external_id}: {passage.heading_path}"
        for document in load([str(KNOWLEDGE)])
        if isinstance(document, Document)
        for passage in chunk(document.wording.title, document.wording.body)
        if content_hash(recipe.name, embedding_text(document.wording.title, passage)) not in shipped
    ]
    assert not missing, "run kb_import on an empty workspace with --vectors examples/knowledge/vectors.e5"
