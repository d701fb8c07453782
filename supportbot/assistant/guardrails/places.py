"""The countries and regions that a text names, whatever the word. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from supportbot.llm.extractive.wordlists import word_set

# Countries and regions by the beginnings of their names, which make adjectives too: "Swiss", "österreichisch".
_PLACES: Final[dict[str, str]] = {
    beginning: name
    for row in (
        "german|deutsch", "austria|österreich|oesterreich", "switzerland|swiss|schweiz", "liechtenstein",
        "france|french|frankreich|französisch", "ital", "spain|spanish|spanien|spanisch", "portug", "netherlands|dutch"
        "|niederland|niederländ|holland", "belgi", "luxemb", "denmark|danish|dänemark|dänisch", "swed|schwed", "norw",
        "finland|finnish|finnl|finnisch", "iceland|island",
        "poland|polish|polen|polnisch", "czech|tschech", "slovak"
        "|slowak", "sloven|slowen", "hungar|ungar", "romani|rumäni", "bulgari", "greece|greek|griech", "croat|kroat",
        "serbi", "turkey|turkish|türkei|türkisch", "ireland|irish|irland|irisch", "britain|british|britann|britisch"
        "|england|scotland|schottland|wales", "russia|russland|russisch", "ukrain", "canad|kanad", "mexic|mexik",
        "brazil|brasil",
        "china|chines", "japan", "india|indien|indisch", "austral", "africa|afrika", "asia|asien",
    )
    for name in (row.split("|")[0],)
    for beginning in row.split("|")
}  # fmt: skip
_PLACE: Final = re.compile(rf"\b({'|'.join(_PLACES)})\w*", re.IGNORECASE)
_SHORT_PLACE: Final = re.compile(
    r"\b(?:(?P<uk>UK|GB|United Kingdom|Vereinigte\w* Königreich\w*|Großbritannien)|(?P<us>USA?|United States"
    r"|Vereinigte\w* Staaten|Amerika|America)|(?P<eu>EU|European Union|Europäische\w* Union))\b"
)
_NO_PLACES: Final = word_set("islands italic italics polish polished polishes polishing")


def places_in(text: str) -> Iterator[str]:
    """Yield the countries that a text names, one name for each."""
    for match in _PLACE.finditer(text):
        # German writes countries large: "island" is land in the sea.
        if match.group().lower() not in _NO_PLACES and match.group() != "island":
            yield _PLACES[match.group(1).lower()]
    for match in _SHORT_PLACE.finditer(text):
        yield str(match.lastgroup)
