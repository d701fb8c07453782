"""Detects the language of text. Pure: the model comes with its package and is loaded on first use.

The model, which reads letters, is reliable for texts of four or more words but not for single words. So a guess counts
only if it is likely in itself and much more likely than the expected language.
"""

import math
import re
import threading
from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import chain, islice
from typing import Final, Protocol

from babel import Locale

from supportbot.language.words import languages_by_stop_word, stop_words, words

# The model also knows small languages that resemble large ones (Galician, Luxembourgish, Nigerian Pidgin). In short
# texts, they compete with the large language, so they count only if they are expected.
_CANDIDATES: Final = frozenset({
    "ar", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "gu", "he", "hi", "hr", "hu",
    "hy", "id", "it", "ja", "ka", "kk", "ko", "lt", "lv", "mk", "mr", "ms", "nb", "nl", "pa", "pl", "pt", "ro", "ru",
    "sk", "sl", "sq", "sr", "sv", "ta", "te", "th", "tl", "tr", "uk", "ur", "vi", "zh",
})  # fmt: skip
# The languages in which customers get answers. In texts of two or three words, related languages compete with them
# ("hast du Hunger?" looks half Scandinavian), but few customers write in those.
_LIKELIER: Final = frozenset({"ar", "de", "en", "es", "fr", "it", "nl", "pl", "pt", "tr"})
_MEMBERS: Final = {"no": "nb", "nn": "nb", "yue": "zh", "wuu": "zh"}
# Measured on 2,400 short texts in 16 languages (Django's own translations) and 290 customers' questions in 25.
_MIN_LIKELIHOOD: Final = 0.4
_MIN_MARGIN: Final = 3.0  # how many times as likely as the expected language it must be
_STOP_WORD_WEIGHT: Final = 2.0
# The bonus of these languages in texts of two or more words; single words are often names. In our rows in six
# languages, the bonus raises the share of correctly detected texts from .66 to .74 (two words) and from .89 to .95
# (three words). Texts in the expected language are mistaken for another as rarely as before (10 of 6,092 texts, and 8
# instead of 12 of Django's 1,500 labels). In twelve other languages, only .73 instead of .76 of the labels are
# detected. With a bonus of 10, two more names of products and people are taken for foreign words.
_LIKELIER_WEIGHT: Final = 3.0
# The share of the text's words that must be stop words of the expected language, and their lead over any other
# language.
_CLEAR_SHARE: Final = 0.3
_CLEAR_LEAD: Final = 1
# At or above this share of stop words, the expected language is chosen if no other explains more of the words: all
# words of "tu es un robot" except the last are both French and Spanish. This rule misjudges none of 2,200 messages in
# other languages.
_SHARED_SHARE: Final = 0.6
_MAX_CHARACTERS: Final = 400
# Addresses, order numbers, amounts, links.
_NO_WORD: Final = re.compile(r"\S*(?:@|://|www\.|\d)\S*")
_SENTENCE_ENDS: Final = tuple(".!?…:;。！？")
_ENOUGH_WORDS: Final = 3

_loading = threading.Lock()


class _Model(Protocol):
    def rank(self, text: str) -> list[tuple[str, float]]: ...


@lru_cache(maxsize=256)  # a search calls this for every candidate
def base_language(locale: str) -> str:
    """Return the language of a locale: `de` for `de-AT` and `de_AT`."""
    return re.split("[-_]", locale, maxsplit=1)[0].lower()


def is_language(locale: str) -> bool:
    """Return whether the language of a locale exists (CLDR's list), whatever its region."""
    return base_language(locale) in Locale("en").languages


@lru_cache(maxsize=512)  # a turn needs the languages of its question and of earlier messages repeatedly
def detect(text: str, default: str) -> str:
    """Return the ISO 639-1 code of the language of `text`, or `default` if its words are inconclusive.

    Names, addresses, order numbers, links and e-mail addresses are ignored. A call takes about 0.3 ms, or a tenth of
    that if stop words suffice. The first call loads the model, which takes a third of a second and 75 MB.
    """
    evidence = _evidence(text[:_MAX_CHARACTERS])
    if len(list(islice(filter(str.isalpha, evidence), 2))) < 2:
        return default
    if _is_clearly(evidence, default):
        return default
    likelihoods = _likelihoods(evidence, default)
    best = max(likelihoods, key=likelihoods.__getitem__)
    expected = likelihoods.get(_MEMBERS.get(default, default), 0.0)
    is_sure = likelihoods[best] >= max(_MIN_LIKELIHOOD, _MIN_MARGIN * expected)
    is_other = is_sure and not _may_be_names(evidence, best) and not _is_as_clearly(evidence, default, best)
    return best if is_other else default


def _evidence(text: str) -> str:
    """Return the words that indicate the language. Possible names are left out if enough words remain."""
    tokens = text.lower().split() if text.isupper() else text.split()
    is_number = [False, *(token[0].isdigit() for token in tokens), False]
    common: list[tuple[int, str]] = []
    named: list[tuple[int, str]] = []
    has_address = False
    for at, token in enumerate(tokens):
        is_capital = token[0].isupper()
        if _NO_WORD.fullmatch(token):
            continue
        if is_capital and (is_number[at] or is_number[at + 2]):
            has_address = True  # in "Lindenweg 4, 50667 Köln", a word next to a number is a street or a city
            continue
        begins = at == 0 or tokens[at - 1].endswith(_SENTENCE_ENDS)
        (named if is_capital and not begins else common).append((at, token))
    if len(common) >= _ENOUGH_WORDS:
        return " ".join(token for _, token in common)
    return "" if has_address else " ".join(token for _, token in sorted(common + named))


def _may_be_names(evidence: str, language: str) -> bool:
    """Return whether the text may consist only of names: "Giovanni Rossi" is not an Italian sentence."""
    tokens = evidence.split()
    is_capitals = len(tokens) > 1 and all(token[0].isupper() for token in tokens)
    return is_capitals and stop_words(language).isdisjoint(words(evidence))


def _is_clearly(evidence: str, language: str) -> bool:
    """Return whether stop words alone show that the text is in this language. This is ten times as fast as the
    model.
    """
    tokens = words(evidence)
    own = sum(map(stop_words(language).__contains__, tokens))
    if own < _CLEAR_SHARE * len(tokens) or own <= _CLEAR_LEAD:
        return False
    return all(own - count > _CLEAR_LEAD for other, count in _stop_word_counts(tokens).items() if other != language)


def _stop_word_counts(tokens: Sequence[str]) -> Counter[str]:
    """Return how many of the words are stop words, by language."""
    languages = languages_by_stop_word()
    return Counter(chain.from_iterable(languages.get(word, ()) for word in tokens))


def _is_as_clearly(evidence: str, language: str, rival: str) -> bool:
    """Return whether most words are stop words of the language, and at least as many as are stop words of the rival."""
    tokens = words(evidence)
    own, other = (sum(word in stop_words(one) for word in tokens) for one in (language, rival))
    return own > 1 and own >= max(other, _SHARED_SHARE * len(tokens))


def _likelihoods(text: str, default: str) -> dict[str, float]:
    """Return the likelihood of each language: the model's value, increased if the text contains stop words of the
    language and if the language is supported.
    """
    tokens = words(text)
    found: dict[str, float] = {}
    for label, likelihood in _model().rank(text):
        language = _MEMBERS.get(label, label)
        if language in _CANDIDATES or language == default:
            is_likelier = len(tokens) > 1 and (language in _LIKELIER or language == default)
            weight = _LIKELIER_WEIGHT if is_likelier else 1.0
            found[language] = found.get(language, 0.0) + weight * likelihood
    for language, count in _stop_word_counts(tokens).items():
        if language in found:
            found[language] *= math.exp(_STOP_WORD_WEIGHT * count / math.sqrt(len(tokens)))
    total = sum(found.values()) or 1.0
    return {language: likelihood / total for language, likelihood in found.items()}


def _model() -> _Model:
    with _loading:
        return _loaded()


@cache
def _loaded() -> _Model:
    # Imported here because it imports numpy, which most processes never need.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model: _Model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    return model
