"""Preparing a customer's message for the search: cleaned, and split into parts if it is long. Pure.

The vector of a long message is the average of its topics and near to none of them, so every part is searched
separately.
"""

from collections.abc import Iterator
from itertools import islice

from supportbot.language.detection import detect
from supportbot.language.sentences import split_first_sentence
from supportbot.language.words import stop_words

# A longer question is cut off: every part costs an embedding.
MAX_CHARACTERS = 8_000
# Up to this many words, a message is one question whose sentences explain each other.
ONE_PART_WORDS = 60
PART_WORDS = 50
# Further parts are not searched: every part costs an embedding, and sixteen find as much as thirty.
MAX_PARTS = 16
# An answer's topic is at its beginning; more of it would drown out the question. Stop words are left out, since the
# time of an embedding grows with the text.
CONTEXT_WORDS = 16
_PUNCTUATION = ".,:;!?()[]\"'*#|-"


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
    """Return whether a question is searched for in parts."""
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
