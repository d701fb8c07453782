"""Postal addresses as people write them in a chat. Pure.

Two forms are known: street and number, then postal code and city, as in Germany, Austria, Switzerland and much of
Europe; and number and street, city, postal code, as in Britain and America. What is no address gives nothing.
"""

import re
from typing import Final

from supportbot.llm.extractive.wordlists import word_set

_NAME: Final = r"[^\W\d_][\w.'’ß-]{0,40}"  # bounded, like all that repeats here: a wall of letters costs nothing
_NUMBER: Final = r"\d{1,4}(?:\s?[a-zA-Z](?![\w.]))?(?:\s?[-/]\s?\d{1,4}[a-zA-Z]?)?"
_EUROPEAN: Final = re.compile(
    rf"(?<!\w)(?P<street>{_NAME}(?:\s{_NAME}){{0,5}})\s(?P<number>{_NUMBER})(?P<between>[,;\n\s]+(?:[^,;\n]{{2,60}}[,;\n]\s*)?)"
    rf"(?:(?:D|DE|A|AT|CH|F|FR|NL|I|IT)[-\s])?(?P<code>\d{{4,5}})\s+(?P<city>{_NAME}(?:[\s-]{_NAME}){{0,4}})",
)
_BRITISH: Final = re.compile(
    rf"(?<!\w)(?P<number>{_NUMBER})\s(?P<street>{_NAME}(?:\s{_NAME}){{0,4}})(?P<between>[,;\n]\s*(?:[^,;\n]{{2,60}}[,;\n]\s*)??)"
    rf"(?P<city>{_NAME}(?:\s{_NAME}){{0,3}}),?\s+"
    r"(?P<code>[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}|(?:[A-Z]{2}\s)?\d{5}(?:-\d{4})?)\b",
    re.IGNORECASE,
)
_STREET_ONLY: Final = re.compile(
    rf"(?<!\w)(?P<street>(?:{_NAME}\s){{0,3}}(?:{_NAME}(?:str(?:aße|asse|\.)?|weg|gasse|platz|allee|ring|ufer|damm"
    rf"|steig|hof)|(?:straße|strasse|weg|platz|allee|gasse)))\s(?P<number>{_NUMBER})\b"
    rf"|(?P<left>{_NUMBER})\s(?P<right>(?:{_NAME}\s){{1,3}}(?:street|st|road|rd|avenue|ave|lane|ln|drive|close|court"
    rf"|way))\b",
    re.IGNORECASE,
)
_CODE_AND_CITY: Final = re.compile(rf"(?<!\w)(?P<code>\d{{4,5}})\s+(?P<city>{_NAME}(?:[\s-]{_NAME}){{0,3}})")
_CODE: Final = re.compile(r"(?<![\w-])(?:\d{4,5}|[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2})(?![\w-])", re.IGNORECASE)
# What may stand before a street without being part of it.
_LEADS_IN: Final = word_set(
    "to is the new address adresse anschrift lieferadresse it an die der das den dem in nach zu zur zum ist lautet "
    "lauten "
    "neue neuen jetzt now at send ship deliver order bestellung bitte please change ändern sie liefern schicken "
    "senden my "
    "meine folgende following of for from und and on auf statt instead straße street i live wohne ich that's its "
    "parcel paket stattdessen moved umgezogen"
)
_ENDS: Final = word_set(
    "please bitte instead statt stattdessen liefern schicken senden ändern and und for für order bestellung thanks "
    "danke thank "
    "because weil since da zustellen verschicken versenden if wenn i ich not nicht but aber anstatt rather ab as als "
    "the is ist now jetzt umleiten"
)
# In lower case they lead in to a street, with a capital they begin one: Am Markt, In der Au, The Avenue.
_BEGINS_STREETS: Final = word_set("an am auf in im zu zur zum der die das dem den the of nach from for und und")
_JOINTS: Final = word_set("am an der im ob bei a.m. a. den dem upon on le la les sur de la the")
_COUNTRIES: Final = {
    "DE": ("germany", "deutschland"), "AT": ("austria", "österreich"), "CH": ("switzerland", "schweiz"),
    "FR": ("france", "frankreich"), "NL": ("netherlands", "niederlande"), "IT": ("italy", "italien"),
    "GB": ("united kingdom", "uk", "england", "großbritannien", "great britain"), "US": ("usa", "united states"),
    "BE": ("belgium", "belgien"), "DK": ("denmark", "dänemark"), "PL": ("poland", "polen"), "ES": ("spain", "spanien"),
    "LI": ("liechtenstein",), "LU": ("luxembourg", "luxemburg"), "SE": ("sweden", "schweden"),
}  # fmt: skip
_COUNTRY: Final = re.compile(
    r"\b(?:" + "|".join(f"(?P<{code}>{'|'.join(names)})" for code, names in _COUNTRIES.items()) + r")\b", re.IGNORECASE
)


def address_in(text: str) -> dict[str, str]:
    """Return the parts of the last address in the text under the names of an address schema; empty if there is none."""
    found = _found(text)
    return found[1] if found else {}


def without_address(text: str, word: str = "") -> str:
    """Return the text, of the same length, with its last address blanked, or with `word` in its place."""
    found = _found(text)
    if not found:
        return text
    match, parts = found
    street = parts["line1"].split()[0]
    start = text.index(street, match.start())
    end = match.start("city") + _length_of(len(parts["city"].split()), match["city"])
    return f"{text[:start]}{word.ljust(end - start)}{text[end:]}"


def _length_of(count: int, raw: str) -> int:
    """Return how many characters the first `count` words take, whatever blanks stand between them."""
    ends = [word.end() for word in re.finditer(r"\S+", raw)]
    return ends[count - 1]


def _found(text: str) -> tuple[re.Match[str], dict[str, str]] | None:
    for pattern, form in ((_EUROPEAN, "{street} {number}"), (_BRITISH, "{number} {street}")):
        for match in reversed(list(pattern.finditer(text))):
            parts = _read(match, text, form)
            if parts:
                return match, parts
    return None


def _read(match: re.Match[str], text: str, form: str) -> dict[str, str]:
    street = _street(match["street"]) if form.startswith("{street") else match["street"].strip()
    city = _city(match["city"])
    if not street or not city:
        return {}
    parts = {
        "line1": form.format(street=street, number=match["number"].strip()),
        "postal_code": match["code"].strip(),
        "city": city,
    }
    second = match["between"].strip(" ,;\n")
    country = _COUNTRY.search(text, match.end("city") - len(match["city"]))
    named = _name_before(text[: match.start()], match["street"], street, form)
    return {
        **parts,
        **({"line2": second} if second else {}),
        **({"country": country.lastgroup} if country and country.lastgroup else {}),
        **({"name": named} if named else {}),
    }


def _street(said: str) -> str:
    """Return the street without the words that lead in to it; a capital "An der Alster" is part of the name."""
    parts = said.split()
    lead_in = [place for place, part in enumerate(parts) if _leads_in(part) and not _goes_on(parts, place)]
    parts = parts[lead_in[-1] + 1 :] if lead_in else parts
    while len(parts) > 1 and any(part[0].isupper() for part in parts) and parts[0][0].islower():
        parts.pop(0)
    return " ".join(parts)


def _goes_on(parts: list[str], place: int) -> bool:
    """An article behind a capital preposition belongs to the name: An der Alster."""
    return place > 0 and parts[place - 1][0].isupper() and parts[place - 1].lower() in _BEGINS_STREETS


def _leads_in(word: str) -> bool:
    bare = word.lower().strip(":.")
    return bare in _LEADS_IN and (word[0].islower() or bare not in _BEGINS_STREETS)


def _city(said: str) -> str:
    kept: list[str] = []
    is_capital = said[:1].isupper()
    said = said.partition("\n")[0]  # what stands on the next line is a greeting, or another message
    for word in re.split(r"\s", said):
        if word.lower().strip(".") in _ENDS or _COUNTRY.fullmatch(word):
            break
        if kept and is_capital and not word[:1].isupper() and word.lower() not in _JOINTS:
            break
        kept.append(word)
    while kept and kept[-1].lower() in _JOINTS:
        kept.pop()
    return " ".join(kept[:4] if is_capital else kept[:2]).rstrip(".")


_PERSON: Final = re.compile(
    r"(?:^|[,;:\n]|\b(?:for|für|to|an)\s)\s*(?P<name>[A-ZÄÖÜ][\w'’-]+(?:\s[A-ZÄÖÜ][\w'’-]+){1,3})\s*[,;\n]\s*$"
)


def _name_before(before: str, said: str, street: str, form: str) -> str:
    if form.startswith("{street") and said.strip() != street:
        return ""
    match = _PERSON.search(before)
    return match["name"] if match else ""


def address_parts_in(text: str) -> dict[str, str]:
    """Return what a text that answers our question for an address gives of it, whole or not."""
    whole = address_in(text)
    if whole:
        return whole
    parts: dict[str, str] = {}
    street = _STREET_ONLY.search(text)
    if street:
        said = f"{street['street']} {street['number']}" if street["street"] else f"{street['left']} {street['right']}"
        parts["line1"] = " ".join(said.split())
        town = re.match(rf"\s*(?:,|in)\s+(?P<city>[A-ZÄÖÜ][\w.ß-]+(?:[\s-]{_NAME}){{0,3}})", text[street.end() :])
        if town and _city(town["city"]):
            parts["city"] = _city(town["city"])
    place = _CODE_AND_CITY.search(text)
    if place and _city(place["city"]):
        parts |= {"postal_code": place["code"], "city": _city(place["city"])}
    elif (code := _CODE.search(text)) and not street:
        parts["postal_code"] = code.group().upper()
    return parts
