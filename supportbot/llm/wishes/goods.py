"""Names for the same goods in English and German, so that "die Jacke" finds the "rain jacket". Pure."""

from typing import Final

from supportbot.llm.extractive.wordlists import word_set

_ROWS: Final = (
    "jacket jackets coat parka anorak jacke jacken regenjacke mantel",
    "boot boots shoe shoes footwear stiefel schuh schuhe wanderschuhe wanderstiefel sneaker sneakers",
    "tent tents zelt zelte",
    "backpack backpacks rucksack bag pack rucksäcke daypack",
    "sleeping schlafsack schlafsäcke",
    "stove stoves cooker burner kocher gaskocher campingkocher",
    "pole poles stick sticks stock stöcke wanderstöcke trekkingstöcke",
    "shirt shirts tshirt base layer baselayer top hemd unterhemd shirt oberteil merinoshirt funktionsshirt",
    "trousers pants hose hosen jeans",
    "dress kleid kleider",
    "sweater pullover jumper hoodie pulli",
    "glove gloves handschuh handschuhe",
    "hat cap mütze hut kappe",
    "lamp light headlamp lampe stirnlampe licht",
    "bottle flasche trinkflasche",
    "mattress mat matratze isomatte matte",
    "chair stuhl stühle",
    "table tisch",
    "book books buch bücher",
    "phone handy telefon smartphone",
    "watch uhr",
    "cable kabel",
    "gift card voucher gutschein geschenkkarte",
)
_OF: Final[dict[str, frozenset[int]]] = {}
for _place, _row in enumerate(_ROWS):
    for _word in _row.split():
        _OF[_word] = _OF.get(_word, frozenset()) | {_place}


def same_goods(word: str, other: str) -> bool:
    """Return whether two words name the same kind of goods."""
    mine = _OF.get(word.lower().strip("-'"), frozenset())
    return any(mine & _OF.get(part, frozenset()) for part in other.lower().split())


# Verbs, or things that people speak of without having ordered them.
_ALSO_OTHER: Final = word_set(
    "light licht top book books stock stick sticks watch uhr phone handy telefon smartphone bag pack card mat table "
    "tisch chair stuhl cap hat base layer"
)


def is_goods(word: str) -> bool:
    """Return whether a word surely names goods that we know a name for."""
    return word.lower() in _OF and word.lower() not in _ALSO_OTHER
