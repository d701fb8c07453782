"""Which actions a message asks for. Pure; no action is known here but by its own examples.

A clause makes a wish if it speaks of an action (`topics`) and says so as a wish (`stance`). Questions about an action,
its opposite, and reports of it make none.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from supportbot.llm.types import ToolSpec
from supportbot.llm.wishes import stance
from supportbot.llm.wishes.clauses import Clause, clauses_of
from supportbot.llm.wishes.concepts import KNOWN, mentions_in
from supportbot.llm.wishes.topics import Topic, topics_in
from supportbot.llm.wishes.values import order_numbers_in, with_place, without_values

_PLAINLY: Final = 2.0  # the weight of a topic that is a wish without saying so: "my delivery address is wrong"
_OWN: Final = re.compile(
    r"\b(?:my|mine|our|mein\w*|unser\w*|it|this|that|these|those|them|es|ihn|sie|diese\w*|last|latest|letzte\w*"
    r"|(?:the|die|das|der|den) (?:order|parcel|package|shipment|bestellung|paket|sendung|lieferung)"
    r"|i (?:\w+ )?(?:ordered|bought)|bestellt habe|gekauft habe)\b",
    re.IGNORECASE,
)
_SHORT_WORDS: Final = 7
_HOW_TO: Final = re.compile(
    r"\b(?:how (?:do|does|can|could|should|to|much|often|would)|why|who|whose|which|polic\w+|costs?|fees?|what happens"
    r"|what if|wie (?:kann|können|könnte|soll|geht|funktioniert|viel|oft|finde)|warum|wieso|weshalb|wer|welche\w*"
    r"|kostet|kosten|was passiert|was ist wenn|usually|normally|generally|in general|normalerweise|üblicherweise)\b",
    re.IGNORECASE,
)
_JOIN: Final = re.compile(r"\s+(?:and(?: then)?|then|und(?: dann)?|sowie|plus|also|as well as)\s+", re.IGNORECASE)
_INFINITIVE: Final = re.compile(r"\w+(?:en|ern|eln)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Heard:
    """A wish for one action: the clause that says it, and the words of the message that may fill it in."""

    action: str
    clause: str
    start: int
    words: str


def wishes_in(text: str, tools: Sequence[ToolSpec]) -> list[Heard]:
    """Return the actions a message asks for, in the order of its words; none where it asks, denies or reports."""
    heard: list[tuple[Topic, Clause]] = []
    for clause in _pieces(with_place(text), tools):
        topic = _wish(clause, tools)
        if topic is not None:
            heard.append((topic, clause))
    kept = _without_echoes(heard, tools)
    return [
        Heard(topic.action, clause.text, clause.start, _words_for(place, kept, text))
        for place, (topic, clause) in enumerate(kept)
    ]


def _pieces(text: str, tools: Sequence[ToolSpec]) -> list[Clause]:
    """Return the clauses, one with two wishes in it parted at its "and"."""
    pieces: list[Clause] = []
    for clause in clauses_of(text):
        cuts = [match for match in _JOIN.finditer(clause.text) if _parts_wishes(clause.text, match, tools)]
        start = 0
        for begin, following in [*((cut.start(), cut.end()) for cut in cuts), (len(clause.text),) * 2]:
            piece = clause.text[start:begin]
            first = clause.start + start
            pieces.append(Clause(piece, first, first + len(piece), clause.is_asked, clause.sentence))
            start = following
    return pieces


def _parts_wishes(clause: str, cut: re.Match[str], tools: Sequence[ToolSpec]) -> bool:
    before, after = topics_in(clause[: cut.start()], tools), topics_in(clause[cut.end() :], tools)
    return bool(before and after) and before[0].action != after[0].action


def _wish(clause: Clause, tools: Sequence[ToolSpec]) -> Topic | None:
    topics = topics_in(clause.text, tools)
    if not topics:
        return None
    topic = topics[0]
    tool = next(tool for tool in tools if tool.name == topic.action)
    said = _asks_to_read(clause, topic) if tool.is_read else _asks_to_do(clause, topic)
    return topic if said else None


def _asks_to_read(clause: Clause, topic: Topic) -> bool:
    """Looking something up may be asked for by a question, as long as it is about the customer's own."""
    text = clause.text
    is_own = _OWN.search(text) is not None or bool(order_numbers_in(text))
    return (is_own or not clause.is_asked) and not (
        _HOW_TO.search(text) or stance.holds_back(text) or _is_conditional(text)
    )


def _asks_to_do(clause: Clause, topic: Topic) -> bool:
    text = clause.text
    first = min(mention.start for mention in topic.mentions if mention.concept in _key_concepts(topic))
    last = max(mention.end for mention in topic.mentions if mention.concept in _key_concepts(topic))
    if stance.is_negated(text[:first], text[last:]) or stance.holds_back(text) or stance.is_about(text):
        return False
    asks = stance.asks_for_it(text)
    if stance.reports(text) and not asks:
        return False
    is_specific = bool(order_numbers_in(text)) or _POINTED.search(text) is not None
    if stance.asks_whether(text):
        return is_specific
    if asks or _is_imperative(text, topic):
        return not clause.is_asked or asks or is_specific
    return not clause.is_asked and (_is_bare(text, topic) or topic.weight >= _PLAINLY)


_POINTED: Final = re.compile(
    r"\b(?:last|latest|most recent|previous|this|that|these|those|letzte\w*|neueste\w*|diese\w*|jüngste\w*) \w+",
    re.IGNORECASE,
)


def _is_conditional(text: str) -> bool:
    return stance.is_about(text) and re.search(r"\b(?:if|wenn|falls|in case)\b", text, re.IGNORECASE) is not None


def _key_concepts(topic: Topic) -> set[str]:
    heaviest = max(topic.rule.weights[mention.concept] for mention in topic.mentions)
    return {mention.concept for mention in topic.mentions if topic.rule.weights[mention.concept] >= heaviest}


def _is_imperative(text: str, topic: Topic) -> bool:
    """The clause begins with what it wants ("cancel my order"), or ends with it as German does ("Adresse ändern")."""
    bare = stance.without_fillers(text)
    mentions = [mention for mention in mentions_in(without_values(bare)) if mention.concept in topic.rule.weights]
    keys = _key_concepts(topic)
    begins = any(mention.concept in keys and mention.start == 0 for mention in mentions)
    end = len(bare.rstrip(" .!"))
    ends = any(
        mention.concept in keys and mention.end >= end and _INFINITIVE.match(mention.text) for mention in mentions
    )
    return begins or ends


def _is_bare(text: str, topic: Topic) -> bool:
    """A few words that say nothing but the wish: "refund WF-20418", "Geld zurück"."""
    bare = stance.without_fillers(text)
    mentions = list(mentions_in(without_values(bare)))
    is_plain = all(mention.concept in topic.rule.weights or mention.concept in KNOWN for mention in mentions)
    return is_plain and len(bare.split()) <= _SHORT_WORDS


def _without_echoes(heard: Sequence[tuple[Topic, Clause]], tools: Sequence[ToolSpec]) -> list[tuple[Topic, Clause]]:
    """Leave out what another wish brings along: who cancels and wants the money back says one thing."""
    kept: list[tuple[Topic, Clause]] = []
    for topic, clause in heard:
        numbers = {number.text for number in order_numbers_in(clause.text)}
        twin = next((place for place, (other, _) in enumerate(kept) if other.action == topic.action), None)
        if twin is not None and not (numbers and order_numbers_in(kept[twin][1].text)):
            continue
        others = [other for other, _ in kept if other.action != topic.action]
        if not numbers and any(_brings_along(other, topic, tools) for other in others):
            continue
        kept.append((topic, clause))
    return kept


def _brings_along(one: Topic, other: Topic, tools: Sequence[ToolSpec]) -> bool:
    """Return whether the description of one action speaks of what the other is asked for with."""
    description = next(tool.description for tool in tools if tool.name == one.action)
    said = {mention.concept for mention in mentions_in(description)}
    return _key_concepts(other) <= said


def _words_for(place: int, kept: Sequence[tuple[Topic, Clause]], text: str) -> str:
    """Return the words that may fill a wish in: all of them for the only one, else from its clause to the next."""
    if len(kept) == 1:
        return text
    start = kept[place][1].start if place else 0
    end = kept[place + 1][1].start if place + 1 < len(kept) else len(text)
    return text[start:end]
