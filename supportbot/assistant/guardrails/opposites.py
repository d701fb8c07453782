"""Words that turn a rule when one takes the other's place: before and after, the same and another, we and you. Pure.

They are the smallest change that makes a true sentence false: every other word is its source's. A list of them ends
somewhere; what stands in it is told apart in both directions and both languages.
"""

import re
from typing import Final

from supportbot.llm.extractive.wordlists import word_set
from supportbot.llm.extractive.words import stem

# What costs nothing is told with a "not" and without one.
FREE: Final = re.compile(
    r"\b(?:(?:costs?|charges?) nothing"
    r"|(?:no|without(?: any)?) (?:extra |additional )?(?:costs?|charges?|fees?|interest)"
    r"|without (?:interest|fees?) or (?:interest|fees?)|interest[ -]free|free(?: of charge)?|for free"
    r"|kostet nichts|kostenlos\w*|kostenfrei\w*|gratis|versandkostenfrei\w*|gebührenfrei|zinsfrei"
    r"|ohne (?:\w+ )?(?:kosten|gebühren|zinsen|aufpreis))\b",
    re.IGNORECASE,
)
_FIGURE: Final = r"(?= ?[€$£]? ?\d)"
_CLAUSE: Final = r"(?= (?:the|you|your|it|we|an?|they|this|all)\b)"
# Before a small letter or "Ihr" it is about time: "nach Österreich" and "vor Ort" are places.
_TIME: Final = r"(?-i:(?= (?:[a-zäöü]|Ihr)))"
_PAIRS: Final = (
    (
        rf"before|until|till|within|prior to|bevor|bis(?! zu\b)(?!\s+[€$£]?\d)|innerhalb|vor{_TIME}",
        rf"after(?:wards)?|once{_CLAUSE}|nachdem|danach|nach{_TIME}|sobald",
    ),
    (
        rf"above|at least|or more|and more|mindestens|(?:more than|over|from|mehr als|über|ab){_FIGURE}",
        r"below|at most|up to|höchstens|maximal|bis zu"
        rf"|(?:less than|under|(?<![\d€] )bis|weniger als|unter){_FIGURE}",
    ),
    (
        r"same|identical|equal|(?:der|die|das|den|dem|des|am|im|vom|zum)?selben|(?:der|die|das)selbe|gleich(?:e[nrsm]?)?",
        r"other|another|different(?:ly)?|differs?|ander\w+|unterschied\w*|verschieden\w*|abweich\w*"
        rf"|(?:more|less|\w{{2,}}er|mehr|weniger)(?: \w+)? (?:than|als)(?!{_FIGURE})",
    ),
    (r"first|erste[nrsm]?", r"second|last|zweite[nrsm]?|letzte[nrsm]?"),
    (r"inside|indoors?|drinnen", r"outside|outdoors?|draußen|im Freien"),
    (r"earlier|sooner|früher", r"later|später"),
    (rf"once(?!{_CLAUSE})|one time|einmal", r"each|every time|always|jedes ?Mal|jeweils|immer|beliebig oft"),
    (r"only|solely|nur|ausschließlich", r"also|too|even|as well|including|auch|sogar|einschließlich"),
    (
        r"rises?|rose|increases?d?|higher|more expensive|steig\w+|gestiegen|höher\w*|teurer",
        r"falls?|fell|decreases?d?|lower|cheaper|sink\w+|gesunken|gefallen|niedriger\w*|billiger|günstiger",
    ),
    (
        r"large[rst]*|big(?:ger|gest)?|(?<!no )longer|groß(?:e[nrsm]?)?|größer\w*|(?<!nicht )länger\w*",
        r"small\w*|shorter|klein\w*|kürzer\w*",
    ),
    (
        r"lost|expires?|expired|lapses?|verfällt|verfallen|erlischt",
        r"stays?|keeps?|kept|remains?|holds|bleib\w*|behalten",
    ),
)  # fmt: skip
_NAMED: Final = "|".join(rf"(?P<l{place}>{left})|(?P<r{place}>{right})" for place, (left, right) in enumerate(_PAIRS))
_POLE: Final = re.compile(rf"\b(?:{_NAMED})(?!\w)", re.IGNORECASE)
_COSTS: Final = re.compile(
    r"\b(?:costs?|fees?|charged?|kostet|kosten|gebühr\w*)\b|[€$£]\s?\d|\d\s?(?:[€$£]|eur\b|euro\b)", re.IGNORECASE
)
_PARTY: Final = re.compile(
    r"\b(?:(we|wir)|(you|(?-i:Sie)|customers?|kunde|kundin|kunden))\s+([^\W\d_]{3,})", re.IGNORECASE
)
_AUXILIARY: Final = word_set(
    "can could may might must will would should shall have has had are were did does want need get "
    "können kann dürfen darf müssen muss sollen soll sollten werden wird haben hat sind ist möchten"
)

Sides = frozenset[tuple[str, bool]]  # the pair, and whether it is the right one of its two sides


def sides_of(text: str) -> Sides:
    """Return the pairs of which a text has a word, and on which side; on both, where it has words of both."""
    beside = FREE.sub("", text)
    groups = [str(match.lastgroup) for match in _POLE.finditer(beside)]
    found = {(group[1:], group.startswith("r")) for group in groups}
    if beside != text:
        found.add(("costs", False))
    if _COSTS.search(beside):
        found.add(("costs", True))
    for match in _PARTY.finditer(text):
        if match[3].lower() not in _AUXILIARY:
            found.add((f"who {stem(match[3].lower())}", match[2] is not None))
    return frozenset(found)


def without_sides(text: str) -> str:
    """Return a text without the words that have an opposite."""
    return _POLE.sub(" ", _COSTS.sub(" ", FREE.sub(" ", text)))


def turns(sides: Sides, others: Sides) -> int:
    """Return in how many pairs the two texts stand on one side each, and not on the same."""
    return sum(
        (name, not side) in others and (name, side) not in others and (name, not side) not in sides
        for name, side in sides
    )
