"""The model server's answers: a hundred one-word tokens, always the same for the same request. Pure.

The text must pass the product's checks, or the benchmark would measure refusals: a request without sources gets
sentences that state no fact; one with sources gets sentences quoted from them, each with its marker.
"""

import itertools
import re
from typing import Final

_OPENING: Final = "Thank you for asking, let me look into that for you."
_PLAIN: Final = (
    "Could you tell me a little more about what happened before that?",
    "What do you see on the page in front of you?",
    "Would you like a person of our team to join us here?",
    "Would you tell me which of the two you mean?",
    "How would you like to go on from here?",
)
# The answer's last sentence, cut so that the answer has exactly a hundred tokens. Three words are enough to read as a
# question.
_CLOSING: Final = (
    "Would you like me to stay with you here while you go through each of these steps on your own page once more, or "
    "would you rather tell me after each of them what you see there, so as to get to the end of it without hurry"
)
_MIN_CLOSING: Final = 3
_SOURCE: Final = re.compile(r'<source number="(\d+)"[^>]*>\n(.*?)\n</source>', re.DOTALL)
# Whole sentences only: the text after a label ("**Gifts:** We ...") is half a sentence.
_SENTENCE: Final = re.compile(r"(?:(?<=\n)|(?<=[.!?] ))[A-Z][^.!?\n|*_`#>‹›\[\]()]{40,160}\.(?=\s)")
_QUOTES: Final = 3


def tokens_for(prompt: str, count: int) -> list[str]:
    """Return an answer of `count` tokens to a prompt; every token but the first begins with a space."""
    words: list[str] = []
    for sentence in itertools.chain([_OPENING], _quotations(prompt), itertools.cycle(_PLAIN)):
        more = _words(sentence)
        if len(words) + len(more) + _MIN_CLOSING > count:
            break
        words += more
    first, *others = [*words, *_closing(count - len(words))]
    return [first, *(f" {word}" for word in others)]


def _closing(count: int) -> list[str]:
    *words, last = _CLOSING.split()[:count]
    return [*words, f"{last.rstrip(',')}?"]


def _words(sentence: str) -> list[str]:
    """Return the words of a sentence; a source marker stays with the word before it."""
    return re.findall(r"\S+(?: \[\d+\]\.)?", sentence)


def _quotations(prompt: str) -> list[str]:
    """Return sentences of the prompt's first sources, with their markers."""
    found = [
        f"{sentence.rstrip('.')} [{number}]."
        for number, text in _SOURCE.findall(prompt)
        for sentence in _SENTENCE.findall(f"\n{text}\n")
    ]
    return found[:_QUOTES]
