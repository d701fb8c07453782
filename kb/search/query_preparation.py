"""A customer's message, prepared for the search: cleaned, split into parts if it is long, and adapted to articles in
another language. Pure.

The vector of a long message is the average of its topics and not near any of them, so every part is searched
separately.

The vectors of all questions have a large part in common. Across languages, cosines differ so little that this part
dominates: the few passages near it are found for every question. Without most of it, the right article comes first more
often (docs/decisions/fusion-of-rankings.md has the figures). Within one language, full text corrects this, and the
vector is left unchanged.
"""

import json
import math
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Final

from supportbot.language.detection import base_language, detect
from supportbot.language.sentences import split_first_sentence
from supportbot.language.words import stop_words

# A longer question is cut off: every part costs an embedding.
MAX_CHARACTERS = 8_000
# Up to this many words, a message is one question whose sentences explain each other.
ONE_PART_WORDS = 60
PART_WORDS = 50
# Further parts are not searched: every part costs an embedding, and sixteen find as much as thirty.
MAX_PARTS = 16
# An answer names its topic at the beginning; more of it would drown out the question. Stop words are left out, since
# embedding a longer text takes longer.
CONTEXT_WORDS = 16
_PUNCTUATION = ".,:;!?()[]\"'*#|-"
_CENTRES: Final = Path(__file__).parent / "centres"  # a recipe's mean question vector, from scripts/fit_centre.py
READ_ABROAD: Final = "en"  # preferred if no article is in the customer's language
_SHARE: Final = 0.75  # results hardly differ between 0.5 and 0.9


def clean(question: str) -> str:
    """Return `question` on one line, without characters that the database or the embedder cannot handle."""
    text = question[:MAX_CHARACTERS].replace("\x00", " ").encode("utf-8", "replace").decode("utf-8")
    return " ".join(text.split())


def with_context(context: str, question: str) -> str:
    """Return the context's first words, without stop words, followed by the question, as one text to search with."""
    ignored = stop_words(detect(context, "en"))
    words = (word for word in context.split() if (bare := word.strip(_PUNCTUATION)) and bare.lower() not in ignored)
    return clean(" ".join([*islice(words, CONTEXT_WORDS), question]))


def split(question: str) -> list[str]:
    """Return the texts to search for: the question itself, or groups of its sentences if it is long."""
    text = question[:MAX_CHARACTERS]
    if not is_long(text):
        return [clean(text)]
    groups = list(_grouped(_sentences(text)))
    return [clean(" ".join(group)) for group in groups[:MAX_PARTS]]


def is_long(question: str) -> bool:
    """Return whether a question is split into parts for the search."""
    return len(question.split()) > ONE_PART_WORDS


def _sentences(text: str) -> Iterator[str]:
    while found := split_first_sentence(text):
        sentence, text = found
        yield sentence
    yield text


def _grouped(sentences: Iterator[str]) -> Iterator[list[str]]:
    group: list[str] = []
    for sentence in sentences:
        for piece in _short_enough(sentence.split()):
            if group and len(group) + len(piece) > PART_WORDS:
                yield group
                group = []
            group = group + piece
    if group:
        yield group


def _short_enough(sentence: list[str]) -> Iterator[list[str]]:
    """Yield a sentence in pieces, since some people write without punctuation."""
    for at in range(0, len(sentence), PART_WORDS):
        yield sentence[at : at + PART_WORDS]


def is_foreign(asked: str | None, locales: Sequence[str]) -> bool:
    """Return whether no article is in the question's language; false if that language is unknown."""
    languages = {base_language(locale) for locale in locales}
    return bool(asked and languages) and base_language(asked or "") not in languages and "" not in languages


def without_common_part(vector: Sequence[float], recipe_name: str) -> Sequence[float]:
    """Return a question's vector without most of what all questions have in common; unchanged if no centre is known."""
    centre = _centre(recipe_name)
    if not centre:
        return vector
    length = math.hypot(*vector) or 1.0
    return [value / length - _SHARE * common for value, common in zip(vector, centre, strict=True)]


@cache
def _centre(recipe_name: str) -> Sequence[float]:
    path = _CENTRES / f"{recipe_name}.json"
    return tuple(json.loads(path.read_text())) if path.exists() else ()
