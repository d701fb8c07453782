"""Words of shop talk that mean the same, in English and German. Pure.

It knows no action: an action's examples and a customer's words are brought to the same concepts, so that "pay me back"
meets an example that says "refund". A word that stands in no row is its own concept, by its stem.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from supportbot.llm.extractive.wordlists import word_set
from supportbot.llm.extractive.words import STOP_WORDS, stem
from supportbot.llm.wishes.goods import is_goods

# A phrase comes before the words in it: an e-mail address is no place to send a parcel to. "" means nothing at all.
_ROWS: Final[tuple[tuple[str, str], ...]] = (
    # The word that `values` puts in place of an address, or a place without one.
    (
        "PLACE",
        r"postaladdress|(?:to|an|in|zu|zur|zum) (?:my|the|mein\w*|die|das|der) (?:office|work|workplace"
        r"|neighbou?r\w*|parents"
        r"|mother|friend|büro|arbeit|nachbar\w*|eltern|mutter|firma|freund\w*)",
    ),
    (
        "AWAY",
        r"somewhere else|elsewhere|(?:an)?other place|different (?:place|location)|woanders(?: ?hin)?|anderswo(?:hin)?",
    ),
    ("EMAIL", r"e-?mail(?:[ -]?addres\w*)?|e?-?mail-?adress\w*"),
    ("BILLING", r"(?:billing|invoice|payment) address\w*|rechnungs(?:adress|anschrift)\w*"),
    ("WEB", r"(?:web|ip|url|website) ?-?address\w*|(?:web|ip)-?adress\w*"),
    # Other things that are ordered, changed and cancelled, none of them a parcel.
    (
        "ELSEWHERE",
        r"class(?:es)?|courses?|lessons?|kurs\w*|data|daten|photos?|foto\w*|comments?|kommentar\w*|reviews?"
        r"|bewertung\w*"
        r"|invoices?|bills?|receipts?|rechnung(?:en)?|catalogues?|katalog\w*|dentist|doctor|arzt\w*|gift ?cards?"
        r"|vouchers?|gutschein\w*|geschenkkarte\w*|accounts?|profile|subscriptions?|newsletter\w*"
        r"|memberships?|reservations?|bookings?|appointments?|meetings?"
        r"|events?|flights?|tickets?|hotel|contracts?|passwords?|transfers?|transactions?|plan|policy|insurance|alarm"
        r"|(?:(?:credit|debit|bank|sim) )?cards?(?! refund)|konto|kundenkonto|profil|abo|abos|abonnement|mitgliedschaft"
        r"|reservierung|buchung|termin\w*|vertrag|passwort|überweisung|lastschrift|karte|kreditkarte|flug|tarif",
    ),
    (
        "STATUS",
        r"status\w*|progress|lieferstatus|bestellstatus|updates? (?:on|about|regarding|for)|any (?:news|update)s?"
        r"|current location|location of|(?:current )?state of|(?:up|going on|happening) with"
        r"|what about my|was ist (?:denn |eigentlich )?(?:los )?mit",
    ),
    ("STATUS", r"stand(?= (?:der|von|meine|bei|mit|der dinge))|neuigkeiten|was neues|gibt es neues|whereabouts"),
    (
        "REFUND",
        r"refund\w*|give (?:me )?back (?:\w+ ){0,4}(?:money|euros?|dollars?|pounds?)|re-?imburs\w*"
        r"|money[ -]?back(?! guarantee)|(?:money|cash|payment|cost|costs|amount"
        r"|price) (?:\w+ ){0,3}back"
        r"|pay(?:ing)? (?:\w+ ){0,4}?back|(?:give|return|get|want|have)(?:ing)? (?:me |us )?(?:back )?my money"
        r"|\w{0,20}erstatt\w*|rück(?:zahl|buch|überweis)\w*|zurück(?:zu)?(?:zahl|buch|überweis|gezahlt)\w*"
        r"|(?:geld|betrag|kaufpreis|euro|eur|€)\b[^.?!;]{0,40}?\b(?:zurück(?!send|schick|geschick|gesend)\w*"
        r"|wieder(?:haben|bekommen)?)"
        r"|geld-?zurück|zahl\w* (?:\w+ ){0,9}?zurück|überweis\w* (?:\w+ ){0,9}?zurück",
    ),
    (
        "CANCEL",
        r"cancel\w*|call(?:ing)? off|stornier\w*|storno\w*|abbestell\w*|abbrech\w*|rückgängig|annullier\w*|scrap"
        r"|undo|abort"
        r"|withdraw (?:from )?(?:my|the|this) (?:order|purchase)|revoke|widerruf\w*|zurücktreten"
        r"|trete (?:\w+ ){0,5}zurück"
        r"|(?:bestellung|auftrag) (?:\w+ ){0,3}löschen|(?:nehm|lösch)\w* .{0,30}?(?:bestellung"
        r"|auftrag)(?: \w+)? zurück"
        r"|lösch\w* (?:\w+ ){0,4}(?:bestellung|auftrag)",
    ),
    ("STOP", r"stop|stopp\w*|halt|intercept|aufhalt\w*|aufzuhalten|anhalt\w*|anzuhalten|zurückhalt\w*"),
    (
        "ADDRESS",
        r"post ?codes?|zip codes?|postal codes?|postleitzahl|plz|hausnummer|house number|street(?: name)?|straße"
        r"|\w{0,20}address?\w*|adress"
        r"|\w{0,20}adress(?:e|en|daten)|\w{0,20}anschrift\w*|where (?:(?:my|the|it|that"
        r"|this) )?(?:\w+ ){0,2}?"
        r"(?:is|gets?|will be|should be|goes?) (?:delivered|sent|shipped|going)",
    ),
    (
        "CHANGE",
        r"chang\w*|updat\w*|correct\w*|modif\w*|edit\w*|amend\w*|replac\w*|switch\w*|alter|änder\w*|umänder\w*"
        r"|abänder\w*"
        r"|korrigier\w*|anpass\w*|anzupass\w*|aktualisier\w*|berichtig\w*|auszutausch\w*|umzuänder\w*|abzuänder\w*",
    ),
    (
        "DIVERT",
        r"redirect\w*|re-?rout\w*|divert\w*|forward\w*|umleit\w*|umzuleit\w*|umlenk\w*|nachsend\w*"
        r"|leit\w* (?:\w+ ){1,5}?um",
    ),
    ("MOVED", r"mov(?:ed|ing)|umgezogen|umzieh\w*|ziehe|umzug"),
    ("UNDERWAY", r"(?:on|under) (?:its|the|their)? ?way|in transit|out for delivery|unterwegs|auf dem weg"),
    (
        "ARRIVE",
        r"arriv\w*|(?:gets?|be|is) here|show(?:ed|ing|s)? up|turn(?:ed|s)? up|(?:hasn'?t|not|never|didn'?t) (?:come"
        r"|came)"
        r"|ankomm\w*|angekommen|anzukommen|komm(?:t|en)|eintreff\w*|eingetroffen|receiv\w*|reach\w*"
        r"|(?:nicht|noch|schon|bereits|nie|je) (?:erhalten|bekommen)|here (?:yet|already|by)|nicht (?:da|hier)|ist da"
        r"|da sein|expect(?:ed)?",
    ),
    ("TRACK", r"track\w*|find|finden|trace|tracing|locate|verfolg\w*|nachverfolg\w*|sendungsverfolgung|tracking\w*"),
    (
        "SENT",
        r"ship(?=\s*(?:yet|already|today|yesterday|out)?\s*$)|(?:go|gone|went) out|shipped|dispatched|sent(?: out)?"
        r"|posted|mailed"
        r"|delivered|left (?:the )?warehouse|verschickt|versandt|versendet|geliefert|zugestellt|losgeschickt"
        r"|abgeschickt"
        r"|rausgegangen|gesendet|geschickt",
    ),
    ("WAIT", r"wait(?:ing|ed)?|warte\w*"),
    (
        "MINE",
        r"my|our|mine|mein\w*|unser\w*|i (?:\w+ )?(?:ordered|bought)|(?:ich|wir) (?:\w+ ){0,4}(?:bestellt|gekauft)",
    ),
    (
        "THING",
        r"(?<!to\s)orders?|(?<!to\s)purchases?|parcels?|packages?|packets?|shipments?|stuff|goods|delivery|deliveries",
    ),
    ("THING", r"bestellung(?:en)?|auftrag|aufträge|paket(?:e|s)?|päckchen|sendung(?:en)?|lieferung(?:en)?|ware|pakets"),
    (
        "DELIVER",
        r"ship|ships|shipping|(?:go|goes) to|(?:hin|los|weg)schick\w*|send|sends|deliver\w*|dispatch\w*|mail"
        r"|liefer\w*|schick\w*|send(?:e|en|et)|versend\w*"
        r"|versand\w*"
        r"|verschick\w*|zustell\w*|soll\w* .{0,40}?(?:gehen|kommen)",
    ),
    ("WHERE", r"where(?:'s|s)?|wo|wohin|woran"),
    ("WHEN", r"when(?:'s|s)?|wann|how (?:long|soon|much longer)|wie lange|what (?:time|day|date)|eta"),
    (
        "SHOW",
        r"show|list|display|zeig\w*|anzeig\w*|auflist\w*|nachsehen|nachschau\w*|look up|look into"
        r"|check(?:ing)? (?:on|my|the)",
    ),
    (
        "ANOTHER",
        r"(?:an)?other|different|new|else(?:where)?|instead|ander\w*|neue[nmrs]?|neu|woanders|stattdessen|dorthin",
    ),
    (
        "WRONG",
        r"wrong|incorrect|mistake|typo|outdated|old|false|falsch\w*|fehler\w*|vertippt|veraltet\w*|alte[nrs]?"
        r"|stimmt nicht",
    ),
    ("YET", r"yet|already|still|schon|bereits|noch"),
    ("NOT", r"not|\w+n't|never|nicht|nie"),
)


def _spaced(pattern: str) -> str:
    """Let any blanks stand for one: a value that was blanked leaves many."""
    return pattern.replace(" ?", r"\s*").replace("[ -]", "[\\s-]").replace(" ", r"\s+")


_WORD_OR_PHRASE: Final = re.compile(
    "|".join(f"(?P<_{place}>\\b(?:{_spaced(pattern)})\\b)" for place, (_, pattern) in enumerate(_ROWS))
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
            yield Mention("THING" if is_goods(word) else stem(word), match.start(), match.end(), said)
        else:
            yield Mention(_ROWS[int(name[1:])][0], match.start(), match.end(), said)


KNOWN: Final = frozenset(name for name, _ in _ROWS)
# What a concept weighs in an example, 1 if it is not named: these make no wish by themselves.
WEIGHTS: Final = {
    "MINE": 0.3, "THING": 0.6, "ANOTHER": 0.7, "NOT": 0.6, "WRONG": 0.8, "YET": 0.6, "EMAIL": 0.0, "BILLING": 0.0,
    "WEB": 0.0,
}  # fmt: skip
# They may stand beside any wish without changing what it is.
BESIDE: Final = frozenset({"MINE", "THING", "ANOTHER", "PLACE", "YET"})
