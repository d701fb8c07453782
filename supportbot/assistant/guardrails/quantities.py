"""The numbers of a text with what they count: 5.000 EUR is not 5 working days. Pure."""

import re
from dataclasses import dataclass
from itertools import product
from typing import Final

from supportbot.language.normalise import undisguised

_UNITS: Final = {
    "eur": r"€|eur|euros?",
    "usd": r"\$|usd|(?:us[ -])?dollars?",
    "gbp": r"£|gbp|pounds?|pfund",
    "chf": r"chf|franken|francs?",
    "jpy": r"¥|yen|jpy",
    "cent": r"cents?|pence",
    "percent": r"%|percent|per\ cent|prozent",
    "workday": r"(?:working|business)[ -]days?|(?:werk|arbeits|geschäfts)tag(?:en?)?",
    "day": r"(?:calendar\ |full\ |volle\w?\ )?days?|(?:kalender)?tag(?:en?)?",
    "week": r"weeks?|wochen?",
    "month": r"months?|monat(?:en?)?",
    "year": r"years?|jahr(?:en?)?",
    "hour": r"hours?|stunden?",
    "minute": r"minutes?|minuten?",
}
_MONEY: Final = frozenset({"eur", "usd", "gbp", "chf", "jpy", "cent"})
_UNIT: Final = "|".join(f"(?P<{name}>{words})" for name, words in _UNITS.items())
_BEFORE: Final = r"€|eur\b|\$|usd\b|£|gbp\b|chf\b|¥"
_DIGITS: Final = re.compile(
    rf"(?P<before>{_BEFORE})?\s*(?P<number>\d+(?:[.,:/]\d+)*)(?:[\s-]{{0,2}}(?:{_UNIT})(?![^\W\d_]))?", re.IGNORECASE
)
_SIGN: Final = {"€": "eur", "$": "usd", "£": "gbp", "¥": "jpy"}
_THOUSANDS: Final = re.compile(r"[1-9]\d{0,2}(?:(?:\.\d{3})+|(?:,\d{3})+)(?:[.,]\d{1,2})?")
_PLAIN: Final = re.compile(r"\d+(?:[.,]\d+)?")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in one spelling and the unit behind it, "" where none is known."""

    value: str
    unit: str = ""

    @property
    def is_money(self) -> bool:
        return self.unit in _MONEY or self.unit == "percent"


_ENGLISH: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_GERMAN: Final = (
    "null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf",
    "dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn",
)  # fmt: skip
_ZEHNER: Final = ("zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig")


def _number_words() -> dict[str, int]:
    words = {word: value for names in (_ENGLISH, _GERMAN) for value, word in enumerate(names) if value}
    words |= {word: 10 * place for names in (_TENS, _ZEHNER) for place, word in enumerate(names, start=2)}
    for place, digit in product(range(2, 10), range(1, 10)):
        tens, one = _TENS[place - 2], _ENGLISH[digit]
        words[f"{tens}-{one}"] = words[f"{tens} {one}"] = 10 * place + digit
        words[f"{'ein' if digit == 1 else _GERMAN[digit]}und{_ZEHNER[place - 2]}"] = 10 * place + digit
    small = dict(words)
    for (word, value), (name, times) in product(small.items(), (("hundred", 100), ("thousand", 1000))):
        words[f"{word} {name}"] = value * times
    for (word, value), (name, times) in product(small.items(), (("hundert", 100), ("tausend", 1000))):
        words[f"{word}{name}"] = value * times
    return words | {"hundred": 100, "thousand": 1000, "hundert": 100, "tausend": 1000, "dutzend": 12, "dozen": 12}


_WORDS: Final = _number_words()
_ORDINALS: Final = {
    word: str(value)
    for names in (
        ("third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"),
        ("dritten", "vierten", "fünften", "sechsten", "siebten", "achten", "neunten", "zehnten"),
    )
    for value, word in enumerate(names, start=3)
} | {"twice": "2", "zweimal": "2", "dreimal": "3", "viermal": "4"}
_BARE_UNIT: Final = "|".join(_UNITS.values())
# Only whole words are tried: a wall of letters would be read once for each of them.
_SPELT: Final = re.compile(
    rf"(?<![^\W\d_])(?P<words>(?:[^\W\d_]++(?:-[^\W\d_]++)?)(?:\s+(?:hundred|thousand|{'|'.join(_ENGLISH[1:10])}))*)"
    rf"[\s-]+(?={_BARE_UNIT})",
    re.IGNORECASE,
)


_CURRENCY: Final = re.compile(
    r"(?<![^\W\d_])(?:(?P<eur>euros?|eur)|(?P<usd>(?:us[ -]?)?dollars?|usd)|(?P<gbp>gbp|pfund|pounds?)"
    r"|(?P<chf>chf|franken|francs?)|(?P<jpy>yen|jpy)|(?P<other>rupees?|inr|kron(?:en|or|er)|sek|nok|dkk|z[lł]oty|pln"
    r"|rub(?:les?|el)|bitcoins?|btc|usdt|crypto|aud|cad|yuan|cny|rmb|lira))(?![^\W\d_])"
    r"|(?P<sign>[€$£¥₹₽₩₺₿₫₴])"
)


def currencies_in(text: str) -> set[str]:
    """Return the currencies a text names, with or without a number."""
    found = _CURRENCY.finditer(undisguised(text).lower())
    return {_SIGN.get(match.group(), match.group()) if match["sign"] else str(match.lastgroup) for match in found}


def quantities_in(text: str) -> set[Quantity]:
    """Return the numbers of a text, written in digits or spelt before money or time, in one spelling."""
    plain = undisguised(text).lower()
    spelt = _SPELT.sub(_in_digits, plain) if any(word in plain for word in _UNIT_HINTS) else plain
    return {_quantity(match) for match in _DIGITS.finditer(spelt)}


def spelt_in(text: str) -> set[str]:
    """Return the numbers a text spells in single words, whatever they count; "one" is seldom a number."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    return {_ORDINALS.get(word) or str(_WORDS[word]) for word in words if word in _ORDINALS or _WORDS.get(word, 0) > 1}


_UNIT_HINTS: Final = (
    "euro", "eur", "€", "doll", "usd", "pound", "pfund", "chf", "frank", "franc", "cent", "percent", "prozent", "day",
    "tag", "week", "woche", "month", "monat", "year", "jahr", "hour", "stunde", "minute",
)  # fmt: skip


def _in_digits(match: re.Match[str]) -> str:
    words = match["words"].split()
    for first in range(len(words)):
        value = _WORDS.get(" ".join(words[first:]))
        if value is not None:
            return " ".join([*words[:first], f"{value} "])
    return match.group()


def _quantity(match: re.Match[str]) -> Quantity:
    unit = next((name for name in _UNITS if match[name]), "")
    before = (match["before"] or "").lower()
    return Quantity(_spelling(match["number"]), unit or _SIGN.get(before, before))


def _spelling(number: str) -> str:
    """Return 1.234,50 and 1,234.50 as 1234.5; three digits behind a point or comma are thousands in both languages."""
    if _THOUSANDS.fullmatch(number):
        *whole, cents = re.split(r"[.,]", number) if number[-3:-2] in ".," or number[-2:-1] in ".," else [number, ""]
        number = "".join(re.sub(r"[.,]", "", part) for part in whole) + (f".{cents}" if cents else "")
    if not _PLAIN.fullmatch(number):
        return number
    whole_part, _, fraction = number.replace(",", ".").partition(".")
    fraction = fraction.rstrip("0")
    return (whole_part.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


def borne(wanted: Quantity, known: set[Quantity]) -> bool:
    """Return whether a known number is this one: a number that counts something only by the same or by a bare one."""
    if not wanted.unit:
        return any(wanted.value == quantity.value for quantity in known)
    return wanted in known or Quantity(wanted.value) in known


_NAME: Final = re.compile(
    r"(?:\b(?:order|number|reference|ticket|case|invoice|parcel|tracking|request|article|item|bestellung|bestellnummer"
    r"|nummer|auftrag|rechnung|paket|anfrage|sendung|artikel)s?\s+(?:number\s+|nr\.?\s+|no\.?\s+)?[#„“\"']?|#|\b[a-z]{1,4}-)$"
)


def names_it(sentence: str, quantity: Quantity) -> bool:
    """Return whether the number stands in the sentence only as the name of something: order 20418, W-1042."""
    if quantity.unit:
        return False
    plain = undisguised(sentence).lower()
    places = [match for match in _DIGITS.finditer(plain) if _quantity(match) == quantity]
    return bool(places) and all(_NAME.search(plain[: match.start("number")]) for match in places)
