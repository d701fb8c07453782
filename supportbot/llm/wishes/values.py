"""Order numbers and amounts as customers write them. Pure; an amount is read strictly or not at all."""

import re
from dataclasses import dataclass
from typing import Final

from supportbot.llm.extractive.wordlists import word_set
from supportbot.llm.wishes.addresses import without_address

_NUMBER_WORD: Final = (
    r"(?:order|purchase|bestellung|bestellnummer|auftrag|auftragsnummer|sendung|parcel|package|number|nummer|nr|no|id)"
)
# With letters in front (WF-20418, w1042, #A-17), or bare digits behind a word that announces them.
_ORDER: Final = re.compile(
    rf"""(?<![\w.,€$£-])(?:
        (?P<lettered>\#?[A-Za-z]{{1,6}}[-_]?\d{{3,12}}(?:-\d{{1,6}})?)
      | (?P<spaced>[A-Z]{{1,4}}\s\d{{4,12}})
      | \#\s?(?P<hashed>\d{{3,12}})
      | (?:{_NUMBER_WORD}[\s.:#]*){{1,3}}(?:is\s|ist\s|lautet\s)?(?P<announced>\d{{3,12}})
    )(?![\w€$£%]|[.,]\d)""",
    re.VERBOSE | re.IGNORECASE,
)
_BARE: Final = re.compile(r"(?<![\w.,€$£-])\d{3,12}(?![\w€$£%]|[.,]\d)")
_NO_PREFIX: Final = word_set(
    "eur usd gbp chf size in gr nach to bis ab von at am top vor um am post plz tel fax iso en din since year"
)
_CURRENCY: Final = r"(?:€|\$|£|eur(?:os?)?|usd|gbp|chf|dollars?|bucks|pounds?|quid|franken|francs?|cents?)"
_SPELT: Final = (
    r"(?:five|ten|twelve|twenty|thirty|forty|fifty|sixty|hundred|fünf|zehn|zwölf|zwanzig|dreißig|vierzig|fünfzig"
    r"|sechzig|hundert)"
)
_NO_FIGURE: Final = r"(?:nan|inf(?:inity)?|unendlich|zero|null)"
_FIGURE: Final = rf"(?:[-+−]?\d[\w.,'’_]{{0,20}}|(?:{_SPELT}|{_NO_FIGURE})\b)"
_AMOUNT: Final = re.compile(
    rf"(?<![\w])(?:(?P<before>€|\$|£|eur|usd|gbp|chf)\s?(?P<left>{_FIGURE})"
    rf"|(?P<right>{_FIGURE})\s?(?P<after>{_CURRENCY})(?!\w))",
    re.IGNORECASE,
)
# A sign before the figure, or something that makes it the end of another one: ".5", "1/5", "٫5".
_SIGNED: Final = re.compile(r"(?:[-−]\s*|[^\s\w(\[\"'’„“”«»:;=~€$£])$")
_PLAIN: Final = re.compile(r"[0-9]{1,9}(?:[.,][0-9]{1,2})?", re.ASCII)
_GROUPED: Final = re.compile(r"[1-9][0-9]{0,2}(?:(?:\.[0-9]{3})+,[0-9]{2}|(?:,[0-9]{3})+\.[0-9]{2})", re.ASCII)
# Money that was spent, or is the price of something, is no wish.
_SPENT: Final = re.compile(
    r"\b(?:paid|pay|cost|costs|charged|spent|worth|price(?: of)?|bezahlt|gekostet|kostete|kostet|wert|preis(?: von)?"
    r"|für"
    r"|total(?:ing)?|over|more than|above|free from|ab|über|mehr als)\s+(?:\w+\s+){0,2}$",
    re.IGNORECASE,
)
_LOOK_BACK: Final = 120  # characters; a message of nothing but amounts is not read once for each
_SPENT_AFTER: Final = re.compile(r"^\s*(?:\w+\s+){0,2}(?:bezahlt|gekostet|abgebucht|ausgegeben)\b", re.IGNORECASE)
_PART: Final = re.compile(
    r"\b(?:half|part(?:ly|ial(?:ly)?)?|some|a bit|percent|\d{1,3} ?%|hälfte|teilweise|teil|teilbetrag|teilerstattung"
    r"|etwas"
    r"|\d{1,3} ?prozent) (?:of |von |der |des |vom |a )?(?:the |my |mein\w* |dem |den )?"
    r"(?:money|amount|price|refund|sum|it|back|order|geld\w*|betrag\w*|preis\w*|kaufpreis\w*|erstatt\w*|zurück\w*"
    r"|summe)\b"
    r"|\b(?:an?|einen|nur|just|only) (?:part|teil) (?:of|von|vom|des|der)\b|^part of\b|\bback part of\b"
    r"|\b(?:partial|teil)-?\s?(?:refund|erstattung|betrag)\w*|\bdie hälfte\b|\bhalf\b(?! an hour)|\b\d{1,3} ?(?:%"
    r"|percent|prozent)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class OrderNumber:
    """An order number as it was written. `is_whole`: in a form that no shop's system could take for another."""

    text: str
    start: int
    end: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class AmountSaid:
    """An amount as the schema wants it ("20.50"), or "" where what was said is none."""

    text: str
    start: int
    end: int


def order_numbers_in(text: str, *, is_asked: bool = False) -> list[OrderNumber]:
    """Return the order numbers of a text; `is_asked`: it answers our question for one, so bare digits are one too."""
    found = [number for match in _ORDER.finditer(text) if (number := _order_number(match)) is not None]
    if is_asked and not found:
        found = [
            OrderNumber(match.group(), match.start(), match.end(), is_whole=False)
            for match in _BARE.finditer(without_address(text))
        ]
    return found


def _order_number(match: re.Match[str]) -> OrderNumber | None:
    kind = match.lastgroup or ""
    said = match[kind]
    prefix = re.match(r"#?([A-Za-z]*)", said)
    if prefix and prefix[1].lower() in _NO_PREFIX:
        return None
    is_whole = kind == "lettered" and said[0] != "#" and "_" not in said and said == said.upper() and "-" in said
    return OrderNumber(said.replace(" ", "-"), match.start(), match.end(), is_whole)


def amounts_in(text: str) -> list[AmountSaid]:
    """Return the amounts that a text wants, not those it says were spent."""
    found = []
    for match in _AMOUNT.finditer(text):
        figure = match["left"] or match["right"] or ""
        before = text[max(0, match.start() - _LOOK_BACK) : match.start()]
        if _SPENT.search(before) or _SPENT_AFTER.match(text[match.end() :]):
            continue
        is_signed = _SIGNED.search(before) is not None
        found.append(AmountSaid("" if is_signed else strict_amount(figure), match.start(), match.end()))
    return found


def strict_amount(figure: str) -> str:
    """Return "20.50" for 20,50 or 20.5; "" for 1e2, 1_0, 1.234, other digits, zero and everything else."""
    figure = figure.rstrip(".,'’")
    if _GROUPED.fullmatch(figure):
        cents = figure[-2:]
        figure = re.sub(r"[.,]", "", figure[:-3]) + "." + cents
    if not _PLAIN.fullmatch(figure):
        return ""
    plain = figure.replace(",", ".")
    return plain if plain.strip("0.") else ""


def wants_a_part(text: str) -> bool:
    """Return whether some of the money is wanted, without saying how much."""
    return _PART.search(text) is not None


def without_numbers(text: str) -> str:
    """Return the text, of the same length, without its order numbers: WF-20440 is no house number."""
    for number in reversed(order_numbers_in(text)):
        text = f"{text[: number.start]}{';'.ljust(number.end - number.start)}{text[number.end :]}"
    return text


def with_place(text: str) -> str:
    """Return the text, of the same length, with a word in place of its address: commas in it part no clauses."""
    bare = without_address(without_numbers(text), PLACE)
    for number in order_numbers_in(text):
        bare = f"{bare[: number.start]}{text[number.start : number.end]}{bare[number.end :]}"
    return bare


def without_values(text: str) -> str:
    """Return the text, of the same length, with plain words for its order numbers and its address."""
    placed = with_place(text)
    for number in order_numbers_in(placed):
        word = _ORDER_WORD.ljust(number.end - number.start)
        placed = f"{placed[: number.start]}{word}{placed[number.end :]}"
    return placed


PLACE: Final = "postaladdress"
_ORDER_WORD: Final = "order"
