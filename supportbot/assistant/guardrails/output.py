"""What a model may not say unchecked: that something was done or is promised, an amount, a link. Pure.

Wording alone is no proof: a sentence about something done stands only if it is quoted from an article. What the ledger
knows is told by events and cards, which are rendered from rows.
"""

import re
from typing import Final

# Stems of words that can begin such a sentence, in English and German; text from here on waits for its sentence's end.
_RISKY_STEMS: Final = (
    "refund", "reimburs", "credit", "cancel", "chang", "updat", "issu", "process", "initiat", "approv", "complet",
    "done", "arrang", "sent", "confirm", "compensat", "guarant", "promis", "voucher", "discount", "consider", "taken",
    "sorted", "settl", "set",
    "erstatt", "rückerstatt", "gutschr", "gutgeschr", "stornier", "geänder", "aktualisier", "veranlass", "genehmig",
    "erledig", "bestätig", "garantier", "versproch", "verspreche", "gutschein", "rabatt", "überwies", "überwiesen",
    "http", "www", "//", "euro", "eur", "usd", "chf", "gbp", "cent", "percent", "prozent",
)  # fmt: skip
_RISKY: Final = re.compile("|".join(map(re.escape, _RISKY_STEMS)))
_BEGINNINGS: Final = frozenset(stem[:length] for stem in _RISKY_STEMS for length in range(len(stem) + 1))
_RISKY_SIGNS: Final = frozenset("0123456789€$£¥%[<@")
_WORD: Final = re.compile(r"\S+")

_DONE: Final = (
    r"refunded|reimbursed|credited|cancell?ed|changed|updated|issued|processed|initiated|approved|completed|arranged|"
    r"sent|confirmed|compensated|done"
)
_CLAIMS: Final = re.compile(
    rf"""
      \b(?:i|we|our\ team|i've|we've)\b[^.!?]{{0,40}}\b(?:{_DONE})\b
    | \b(?:has|have|had|was|were|is|are|been|being|got|gets)\b
        (?:\s+(?:now|just|already|been|successfully|fully))*\s+(?:{_DONE})\b
    | \b(?:i|we|our\ team)(?:'ll|\s+will|\s+am\s+going\s+to|\s+are\s+going\s+to)\b[^.!?]{{0,40}}
        \b(?:refund|reimburse|credit|cancel|change|update|issue|process|compensate|send|arrange)
    | \b(?:your|the)\s+(?:refund|cancellation|change|credit|order)\b[^.!?]{{0,30}}
        \b(?:is|was|has\ been)\b[^.!?]{{0,20}}\b(?:complete|through|on\ its\ way|confirmed|successful|done|underway)\b
    | \bsuccessfully\b
    | \b(?:consider\ it|all|it's|that's|everything's|(?:it|that|everything)\ is)\ (?:now\ |all\ )?
        (?:done|set|sorted|settled)\b
    | \btaken\ care\ of\b
    | \b(?:alles|schon|bereits|hiermit)\s+(?:erstattet|gutgeschrieben|storniert|geändert|veranlasst|erledigt)\b
    | \b(?:habe|haben|wurde|wurden|ist|sind|hat)\b[^.!?]{{0,60}}
        \b(?:erstattet|rückerstattet|zurückerstattet|gutgeschrieben|storniert|geändert|aktualisiert|veranlasst|genehmigt|
           erledigt|bestätigt|überwiesen|ausgezahlt|abgeschlossen|bearbeitet)\b
    | \b(?:ich|wir)\s+(?:werde|werden|erstatte|erstatten|storniere|stornieren|ändere|ändern|überweise|überweisen)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_NUMBER: Final = re.compile(r"\d+(?:[.,:/]\d+)*")
_LINK: Final = re.compile(r"(?:https?:)?//[^\s)\]>]+|www\.[^\s)\]>]+", re.IGNORECASE)


def safe_prefix(text: str) -> str:
    """Return what may be shown of an unfinished sentence: all before the first word that is, or may become, risky."""
    end = 0
    for word in _WORD.finditer(text):
        is_unfinished = word.end() == len(text)
        if _is_risky(word.group(), is_unfinished=is_unfinished):
            return text[:end].rstrip()
        end = word.end()
    return text[:end]


def _is_risky(word: str, *, is_unfinished: bool) -> bool:
    if not _RISKY_SIGNS.isdisjoint(word):
        return True
    bare = word.lower().lstrip("\"'“„«‘(*_`-–—")
    return _RISKY.search(bare) is not None or (is_unfinished and bare in _BEGINNINGS)


def claims_something_done(sentence: str) -> bool:
    """Return whether the sentence says or promises that something was, or will be, done for the customer."""
    return _CLAIMS.search(sentence) is not None


def numbers_in(text: str) -> set[str]:
    """Return the numbers of a text, comparable across "1.234,50" and "1,234.50" styles."""
    return {re.sub(r"[.,]0+$", "", number).replace(",", ".") for number in _NUMBER.findall(text)}


def links_in(text: str) -> set[str]:
    """Return the addresses a text names."""
    return {link.rstrip(".,;:!?") for link in _LINK.findall(text)}
