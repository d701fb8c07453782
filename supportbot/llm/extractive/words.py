"""Words of a text, comparable across inflections of English and German. Pure.

One light stemmer serves both languages: question and passage go through the same, so it need not be right, only the
same.
"""

import re
from functools import lru_cache

from supportbot.llm.extractive.wordlists import word_set

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
# German verbs part: zurückzuschicken and zurückgeschickt are forms of zurückschicken.
_PARTED = re.compile(
    r"(zuruck|weiter|heraus|hinzu|nach|auf|aus|ein|her|los|mit|vor|weg|ab|an|um)(?:zu(?=\w{5})|ge(?=\w{3,}(?:t|en)))"
)
FOLD = str.maketrans(
    {"ä": "a", "ö": "o", "ü": "u", "ß": "ss", "é": "e", "è": "e", "ê": "e", "á": "a", "ç": "c", "ñ": "n"}
)
# Suffix -> the least that must remain. Longest first; removed until nothing more goes.
_SUFFIXES = (
    ("ungen", 4), ("ieren", 4), ("ment", 5), ("iert", 4), ("ung", 4), ("ing", 3), ("ern", 4), ("end", 5), ("est", 5),
    ("ies", 3), ("ied", 3), ("ed", 3), ("es", 4), ("en", 4), ("er", 4), ("em", 5), ("et", 4), ("st", 5), ("ly", 4),
    ("e", 3), ("s", 3), ("n", 5), ("t", 5), ("y", 4), ("i", 4),
)  # fmt: skip

ENGLISH = word_set(
    "a about after all also am an and any are as at be because been before being between both but by can could "
    "did do does doing don't for from get had has have having he her here him his how i i'm i've if in into is it "
    "it's its just know let like long many may me might more most much must my need no not now of off ok on once "
    "only or other our out over please same shall she should so some still such tell than thank thanks that the "
    "their them then there these they this those through to too under until up us very want was we were what "
    "what's when where which while who why will with would you your"
)
GERMAN = word_set(
    "aber als am an auch auf aus bei beim bin bis bist bitte da dadurch dafür damit danke dann darf das dass "
    "dauern dauert dein deine dem den denn der des dich die dies diese dieser dieses dir doch du durch ein eine "
    "einem einen einer eines er es etwas euch euer für gibt habe haben hallo hat hatte hätte ich ihm ihn ihnen "
    "ihr ihre ihrem ihren ihrer im in ins ist ja jetzt kann kannst kein keine können könnte lang lange man mein "
    "meine meinem meinen meiner mich mir mit muss möchte müssen nach nicht noch nun nur ob oder ohne schon sehr "
    "sein seine seit sich sie sind so soll sollte um und uns unser unsere unter viel viele vom von vor war waren "
    "warum was wegen weil welche welcher welches wem wen wenn wer werde werden wie wieder will wir wird wo wohin "
    "würde zu zum zur zwischen über"
)
STOP_WORDS = ENGLISH | GERMAN


def words(text: str) -> list[str]:
    """Return the words of `text` in lower case, in their order."""
    return _WORD.findall(text.lower().replace("’", "'"))


def terms(text: str) -> list[str]:
    """Return the stems of the words that carry meaning, in their order."""
    return [stem(word) for word in words(text) if word not in STOP_WORDS and (len(word) > 1 or word.isdigit())]


_DELIVERING = word_set("ship ships shipping deliver delivers delivery")


def common_terms(text: str) -> list[str]:
    """Return the same, with one stem for the English words of delivering: German ones lose more than they gain."""
    found = [word for word in words(text) if word not in STOP_WORDS and (len(word) > 1 or word.isdigit())]
    return ["deliv" if word in _DELIVERING else stem(word) for word in found]


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Return a rough stem: refunds, refunded -> refund; Lieferung, geliefert -> lief."""
    word = word.translate(FOLD).partition("'")[0]
    if len(word) > 7 and word.startswith("ge") and word.endswith(("t", "en")):
        word = word[2:]
    word = _PARTED.sub(r"\1", word, count=1) if _PARTED.match(word) else word
    if any(character.isdigit() for character in word):
        return word
    before = ""
    while word != before:
        before = word
        word = _shorter(word)
    return word


def _shorter(word: str) -> str:
    for suffix, least in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= least and not word.endswith("ss"):
            word = word[: -len(suffix)]
            return word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "sle" else word
    return word


def likeness(asked: str, found: str) -> float:
    """Return how far one stem stands for another: 1 for the same, less for a compound or a longer form, else 0."""
    if asked == found:
        return 1.0
    short, long = (asked, found) if len(asked) < len(found) else (found, asked)
    if len(short) < 4:
        return 0.0
    if long.startswith(short):
        return 0.7 if len(short) >= 5 or len(long) - len(short) <= 2 else 0.4
    # German compounds: the last part names the thing (Versandkosten are Kosten).
    return 0.6 if len(short) >= 5 and long.endswith(short) else 0.0


# Words that a paraphrase puts for each other. "Shipped" is no "delivered": only what names the service is the same.
SAME = {
    other: stem(words.split()[0])
    for words in (
        "leave left leaves", "send sent", "pay paid", "buy bought purchase purchased", "keep kept", "take took taken",
        "find found", "lose lost", "give gave given", "choose chose chosen select click pick", "break broke broken",
        "make made", "spend spent", "wear wore worn", "delivery ship ships shipping", "cost fee fees price prices",
        "whole entire", "invoice receipt", "gift present", "lieferung versand liefern", "kosten gebühr gebühren preis",
        "wählen klicken auswählen", "return retoure",
    )
    for other in words.split()[1:]
}  # fmt: skip
