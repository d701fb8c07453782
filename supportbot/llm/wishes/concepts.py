"""Words of shop talk that mean the same, in English and German. Pure.

It knows no action: an action's examples and a customer's words are brought to the same concepts, so that "pay me back"
meets an example that says "refund". A word that stands in no row is its own concept, by its stem.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from supportbot.llm.extractive.words import STOP_WORDS, stem
from supportbot.llm.wishes.wordlists import word_set

# A phrase comes before the words in it: an e-mail address is no place to send a parcel to. "" means nothing at all.
_ROWS: Final[tuple[tuple[str, str], ...]] = (
    ("place", r"postaladdress"),  # what `values` puts in place of one
    ("status", r"status\w*|stand|progress|lieferstatus|bestellstatus|updates? (?:on|about|regarding)"),
    ("email", r"e-?mail(?:[ -]?addres\w*)?|e?-?mail-?adress\w*"),
    ("billing", r"(?:billing|invoice|payment) address\w*|rechnungs(?:adress|anschrift)\w*"),
    ("web", r"(?:web|ip|url|website) ?-?address\w*|(?:web|ip)-?adress\w*"),
    (
        "refund",
        r"refund\w*|re-?imburs\w*|money[ -]?back(?! guarantee)|(?:money|cash|payment|cost|amount"
        r"|price) (?:\w+ ){0,3}back"
        r"|pay(?:ing)? (?:\w+ ){0,4}?back|(?:give|return|get|want|have)(?:ing)? (?:me |us )?(?:back )?my money"
        r"|\w*erstatt\w*|rück(?:zahl|buch|überweis)\w*|zurück(?:zu)?(?:zahl|buch|überweis|gezahlt)\w*"
        r"|(?:geld|betrag|kaufpreis|euro|eur|€)\b[^.?!;]{0,40}?\bzurück(?!send|schick)\w*|geld-?zurück"
        r"|zahl\w* (?:\w+ ){0,6}?zurück|überweis\w* (?:\w+ ){0,6}?zurück",
    ),
    ("cancel", r"cancel\w*|call(?:ing)? off|stornier\w*|storno\w*|abbestell\w*|abbrech\w*|rückgängig|annullier\w*"),
    ("stop", r"stop|stopp\w*|halt|intercept|aufhalt\w*|aufzuhalten|anhalt\w*|anzuhalten|zurückhalt\w*"),
    ("address", r"\w*addres+\w*|adress|\w*adress(?:e|en|daten)|\w*anschrift\w*"),
    (
        "change",
        r"chang\w*|updat\w*|correct\w*|modif\w*|edit\w*|amend\w*|replac\w*|switch\w*|alter|änder\w*|umänder\w*"
        r"|abänder\w*"
        r"|korrigier\w*|anpass\w*|anzupass\w*|aktualisier\w*|berichtig\w*|auszutausch\w*|umzuänder\w*|abzuänder\w*",
    ),
    ("divert", r"redirect\w*|re-?rout\w*|divert\w*|umleit\w*|umzuleit\w*|umlenk\w*"),
    ("moved", r"mov(?:ed|ing)|umgezogen|umzieh\w*|ziehe|umzug"),
    (
        "arrive",
        r"arriv\w*|get here|show(?:ed)? up|turn(?:ed)? up|ankomm\w*|angekommen|anzukommen|komm(?:t|en)|eintreff\w*",
    ),
    ("arrive", r"eingetroffen|receiv\w*|reach\w*|be here|erhalt\w*|bekomm\w*|geliefert (?:wird|werden)|da sein|ist da"),
    ("track", r"track\w*|trace|tracing|locate|verfolg\w*|nachverfolg\w*|sendungsverfolgung|tracking\w*"),
    (
        "mine",
        r"my|our|mine|mein\w*|unser\w*|i (?:\w+ )?(?:ordered|bought)|(?:ich|wir) (?:\w+ ){0,4}(?:bestellt|gekauft)",
    ),
    ("thing", r"orders?|purchases?|parcels?|packages?|packets?|shipments?|stuff|goods|delivery|deliveries"),
    ("thing", r"bestellung(?:en)?|auftrag|aufträge|paket(?:e|s)?|päckchen|sendung(?:en)?|lieferung(?:en)?|ware|pakets"),
    (
        "deliver",
        r"ship|ships|shipped|shipping|send|sends|sent|deliver\w*|dispatch\w*|mail(?:ed)?|liefer\w*|schick\w*"
        r"|send(?:e|en|et)"
        r"|versend\w*|versand\w*|verschick\w*|zustell\w*|zugestellt|geliefert|gesendet|geschickt|losgeschickt|raus",
    ),
    ("where", r"where(?:'s|s)?|whereabouts|wo|wohin"),
    ("when", r"when(?:'s|s)?|wann"),
    ("show", r"show|list|display|zeig\w*|anzeig\w*|auflist\w*|nachsehen|nachschau\w*|look up|check on|check"),
    ("another", r"(?:an)?other|different|new|else(?:where)?|instead|ander\w*|neue[nmrs]?|neu|woanders|stattdessen"),
    ("wrong", r"wrong|incorrect|mistake|typo|outdated|old|false|falsch\w*|fehler\w*|vertippt|veraltet\w*|alte[nrs]?"),
    ("yet", r"yet|already|still|schon|bereits|noch"),
    ("not", r"not|n't|never|nicht|nie"),
)
_WORD_OR_PHRASE: Final = re.compile(
    "|".join(f"(?P<_{place}>\\b(?:{pattern})\\b)" for place, (_, pattern) in enumerate(_ROWS))
    + r"|(?P<word>[^\W_]+(?:'[^\W_]+)*)",
    re.IGNORECASE,
)
# Words that carry no wish of their own although they are no stop words elsewhere.
_EMPTY: Final = word_set(
    "please pls plz thanks thank hello hi hey want like need would could kindly asap now today item items product one "
    "ones ordered bought help also really back again order bitte danke hallo gern gerne möchte möchten brauche will "
    "würde könnten hätte artikel produkt mal eben doch sofort umgehend heute wieder"
)


@dataclass(frozen=True, slots=True)
class Mention:
    """A concept and where in the text it is spoken of."""

    concept: str
    start: int
    end: int
    text: str


def mentions_in(text: str) -> Iterator[Mention]:
    """Yield what the text speaks of, in order; stop words and courtesies are left out."""
    for match in _WORD_OR_PHRASE.finditer(text):
        name, said = match.lastgroup or "", match.group()
        if name == "word":
            word = said.lower()
            if word in STOP_WORDS or word in _EMPTY or len(word) < 2 or word.isdigit():
                continue
            yield Mention(stem(word), match.start(), match.end(), said)
        else:
            yield Mention(_ROWS[int(name[1:])][0], match.start(), match.end(), said)


KNOWN: Final = frozenset(name for name, _ in _ROWS)
# What a concept weighs in an example, 1 if it is not named: these make no wish by themselves.
WEIGHTS: Final = {"mine": 0.3, "thing": 0.6, "another": 0.4, "not": 0.0, "wrong": 0.6}
