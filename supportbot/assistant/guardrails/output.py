"""What of an unfinished sentence may be shown: all before the first word that could begin a claim, an amount or a link.

Wording alone is no proof: a sentence about something done stands only if it is quoted from an article. What the ledger
knows is told by events and cards, which are rendered from rows. What was shown may be all that stays, if the customer
stops the answer. So a claim must not even begin: it needs a thing that a shop handles, or a verb of doing, and the
sentence waits from either. These are known in English and German. In any other language no list would do, so a
sentence also waits from a word that the sources do not have and that says something. Pure.
"""

import re
from collections.abc import Set
from typing import Final

from supportbot.assistant.guardrails.everyday import EVERYDAY
from supportbot.language.sentences import opens_fence
from supportbot.language.normalise import undisguised
from supportbot.llm.extractive.words import stem

# Stems of words that can begin such a sentence, in English and German; text from here on waits for its sentence's end.
_RISKY_STEMS: Final = (
    "refund", "reimburs", "credit", "cancel", "chang", "updat", "issu", "process", "initiat", "approv", "complet",
    "done", "arrang", "sent", "confirm", "compensat", "guarant", "promis", "voucher", "discount", "transfer", "money",
    "revers", "paid", "void", "delet", "waiv", "replac", "took", "taken", "arriv", "underway", "successful", "wired",
    "erstatt", "rückerstatt", "gutschr", "gutgeschr", "stornier", "geänder", "aktualisier", "veranlass", "genehmig",
    "erledig", "bestätig", "garantier", "versproch", "verspreche", "gutschein", "rabatt", "überwies", "überwiesen",
    "rückzahl", "zurück", "gebucht", "gezahlt", "geld", "gelöscht", "unterwegs", "angestoßen",
    "ausgeführt", "eingegangen",
    "http", "www", "//", "euro", "eur", "usd", "chf", "gbp", "cent", "percent", "prozent", "dollar", "pound",
)  # fmt: skip
_RISKY: Final = re.compile("|".join(map(re.escape, _RISKY_STEMS)))
# What a shop does something to, wherever it stands in a word: German writes "Lieferadresse".
_THINGS: Final = (
    "order", "parcel", "package", "ship", "deliver", "address", "destination", "payment", "account", "amount", "charge",
    "invoice", "balance", "bank", "card", "purchase", "subscription", "request", "wish", "warehouse", "statement",
    "cash", "claim", "item", "return", "bestell", "paket", "sendung", "versand", "liefer", "adress", "anschrift",
    "zahlung", "konto", "betrag", "abonn", "rechnung", "auftrag", "buchung", "antrag", "wunsch", "lager", "karte",
    "ersatz", "kündigung", "änderung", "artikel", "rücksend", "kauf",
)  # fmt: skip
_THING: Final = re.compile("|".join(_THINGS))
# Forms of doing and of having done, whole words.
_DOING: Final = re.compile(
    r"(?!need|indeed|speed|feed|exceed|proceed|based|united|limited)\w{2,}ed"
    r"|did|has|have|had|was|were|been|being|got|gotten|gone|goes|going|went|gave|given|made|put|set|sold|bought|brought"
    r"|began|begun|stands?|off|away|back|yours|will|shall|won['’]t"
    r"|(?:i|we|you|it|that|there|everything|all)['’](?:ve|s|ll|d)"
    r"|\w*ge(?!gen|rn|nau|wiss)\w{2,}(?:t|en)|(?:be|er|ver|zer|ent)\w{2,}t|\w+iert|wurden?|wird|werden|worden"
    r"|hab|habe|haben|hat|hatten?|abo|ware|fertig|raus|durch|geht|kommt|läuft|lautet|stimmt|passt|liegt"
)
_STOPS: Final = ".,:;!?…\"'”’»)*_"
_BEGINNINGS: Final = frozenset(stem[:length] for stem in (*_RISKY_STEMS, *_THINGS) for length in range(len(stem) + 1))
_RISKY_SIGNS: Final = frozenset("0123456789€$£¥%[<@")
_ADDRESS: Final = re.compile(
    r"\w[.:](?=[\w/])"  # evil.com/pay, mailto:a
    r"|[\[({](?:\.|dot|punkt)[\])}]|^(?:dot|punkt)$|xn--"  # evil(dot)com, evil written in punycode
    r"|^(?:sk|vs|st|rk|whsec|gh[pousr]|xox[abprs])[-_]|^eyj|\w{24}"  # keys and codes
    r"|^[^\W\dia]$|(?:[^\W\d_][·•|./-]){2}",  # r e f u n d e d
    re.IGNORECASE,
)
_WORD: Final = re.compile(r"\S+")
_PART: Final = re.compile(r"[^\W_]+")
_MARKS: Final = re.compile(r"[*_~`\\]")  # "re**fund**ed" is read as one word


def safe_prefix(text: str, known: Set[str] = frozenset()) -> str:
    """Return what may be shown of an unfinished sentence: all before the first word that is, or may become, risky.

    `known` are the stems of the sources' words. Nothing of a block of code, which is judged as one.
    """
    if opens_fence(text):
        return ""
    end = 0
    for word in _WORD.finditer(text):
        is_unfinished = word.end() == len(text)
        if _is_risky(word.group(), is_unfinished=is_unfinished) or not _is_known(word.group(), known):
            return text[:end].rstrip()
        end = word.end()
    return text[:end]


def _is_known(word: str, known: Set[str]) -> bool:
    parts = (stem(part) for part in _PART.findall(_MARKS.sub("", word).lower()))
    return all(part in EVERYDAY or part in known for part in parts)


def _is_risky(word: str, *, is_unfinished: bool) -> bool:
    plain = undisguised(word)
    if not _RISKY_SIGNS.isdisjoint(plain) or _ADDRESS.search(plain.strip("\"'“„«‘(*`,.:;!?)”’»")):
        return True
    bare = _MARKS.sub("", plain.lower()).lstrip("\"'“„«‘(*_`-–—")
    if is_unfinished and (bare in _BEGINNINGS or bare.endswith((".", ":"))):
        return True
    if _RISKY.search(bare) or _THING.search(bare):
        return True
    return _DOING.fullmatch(bare.rstrip(_STOPS)) is not None
