"""What a customer wrote, made ready to search with: cleaned, and cut into parts where it is long. Pure.

One vector of a long message is the average of its topics and near none of them, so every part is searched for itself.
"""

from collections.abc import Iterator
from itertools import islice

from supportbot.language.detection import detect
from supportbot.language.sentences import split_off
from supportbot.language.words import stop_words

# A question longer than this is cut off: nobody asks that much, and every part costs an embedding.
MOST_CHARACTERS = 8_000
# Up to this many words a message is one question, and its sentences explain each other.
ONE_PART_WORDS = 60
PART_WORDS = 50
# What is further down is not searched for: every part costs an embedding, and sixteen of them find as much as thirty.
MOST_PARTS = 16
# What an answer is about stands at its beginning; more of it would drown the question. Words that tell nothing are left
# out, since an embedding takes its time by the letter.
CONTEXT_WORDS = 16
_SIGNS = ".,:;!?()[]\"'*#|-"


def cleaned(question: str) -> str:
    """Return `question` as one line without signs that neither the database nor the embedder can take."""
    text = question[:MOST_CHARACTERS].replace("\x00", " ").encode("utf-8", "replace").decode("utf-8")
    return " ".join(text.split())


def after(context: str, question: str) -> str:
    """Return a question behind the first telling words of what was said before it, as one text to search with."""
    silent = stop_words(detect(context, "en"))
    telling = (word for word in context.split() if (bare := word.strip(_SIGNS)) and bare.lower() not in silent)
    return cleaned(" ".join([*islice(telling, CONTEXT_WORDS), question]))


def parts(question: str) -> list[str]:
    """Return the stretches of `question` to search for: itself, or groups of its sentences if it is long."""
    text = question[:MOST_CHARACTERS]
    if len(text.split()) <= ONE_PART_WORDS:
        return [cleaned(text)]
    groups = list(_grouped(_sentences(text)))
    return [cleaned(" ".join(group)) for group in groups[:MOST_PARTS]]


def _sentences(text: str) -> Iterator[str]:
    while found := split_off(text):
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
    """Yield a sentence in pieces, since some are written without an end."""
    for at in range(0, len(sentence), PART_WORDS):
        yield sentence[at : at + PART_WORDS]
