"""Which actions a message asks for. Pure; no action is known here but by its own examples.

A clause makes a wish if it speaks of an action (`topics`) and says so as a wish (`stance`). Questions about an action,
its opposite, and reports of it make none.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from supportbot.llm.types import ToolSpec
from supportbot.llm.wishes import stance
from supportbot.llm.wishes.clauses import Clause, clauses_of, sentences_of
from supportbot.llm.wishes.concepts import BESIDE, mentions_in
from supportbot.llm.wishes.outcomes import asks_if_done, speaks_of_self
from supportbot.llm.wishes.topics import Topic, topics_in
from supportbot.llm.wishes.values import PLACE, order_numbers_in, with_place, without_values

_PLAINLY: Final = 1.75  # the weight of a topic that is a wish without saying so: "my delivery address is wrong"
_OWN: Final = re.compile(
    r"\b(?:my|mine|our|mein\w*|unser\w*|it|this|that|these|those|them|es|ihn|sie|diese\w*|last|latest|letzte\w*"
    r"|(?:the|die|das|der|den) (?:order|parcel|package|shipment|bestellung|paket|sendung|lieferung)"
    r"|i (?:\w+ )?(?:ordered|bought)|bestellt habe|gekauft habe)\b",
    re.IGNORECASE,
)
# Nobody wishes at the end of a long text only; and what is read costs time.
READ_MOST: Final = 1_500
_CUTS_MOST: Final = 6
WISHES_MOST: Final = 8
_SHORT_WORDS: Final = 7
_NEARLY_ALL: Final = 0.85
_POINTS: Final = re.compile(r"\b(?:it|them|this|that|these|those|es|sie|ihn|das|diese\w*)\b", re.IGNORECASE)
# "Check if it was sent" only asks.
_CONDITIONAL: Final = re.compile(
    r"(?<!see )(?<!check )(?<!know )(?<!tell me )(?<!find out )(?<!wondering )\b(?:if|wenn|falls|in case)\b",
    re.IGNORECASE,
)
_HOW_TO: Final = re.compile(
    r"\b(?:where (?:do|can) i|do i (?:have|need) to|should i|wo (?:kann|finde) ich|muss ich|soll ich|how (?:do|does"
    r"|can|could|should|to|much|often|would)|why|who|whose|which|polic\w+|costs?|fees?|what happens"
    r"|what if|wie (?:kann|können|könnte|soll|geht|funktioniert|viel|oft|finde)|warum|wieso|weshalb|wer|welche\w*"
    r"|kostet|kosten|was passiert|was ist wenn|usually|normally|generally|in general|normalerweise|üblicherweise)\b",
    re.IGNORECASE,
)
_JOIN: Final = re.compile(
    r"(?<!\s)\s+(?:and(?: then)?|then|und(?: dann)?|sowie|plus|also|as well as)\s+", re.IGNORECASE
)
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
    placed = with_place(text[:READ_MOST])
    changing = [tool for tool in tools if not tool.is_read]
    heard = _heard_in(_pieces(placed, tools), tools) or _heard_in(sentences_of(placed), changing)
    if not heard and PLACE in placed:  # an address is often given apart from what it is for
        heard = _heard_in([Clause(placed.strip(" .!"), 0, len(placed), "?" in placed, placed)], changing)
    reads = {tool.name for tool in tools if tool.is_read}
    if any(topic.action not in reads for topic, _ in heard):  # the card comes first, and it ends the turn
        heard = [(topic, clause) for topic, clause in heard if topic.action not in reads]
    kept = _without_echoes(heard, tools)[:WISHES_MOST]
    return [
        Heard(topic.action, clause.text, clause.start, _words_for(place, kept, text))
        for place, (topic, clause) in enumerate(kept)
    ]


def _heard_in(clauses: Sequence[Clause], tools: Sequence[ToolSpec]) -> list[tuple[Topic, Clause]]:
    has_trouble = any(stance.tells_of_trouble(clause.text) and not _is_asking(clause) for clause in clauses)
    found = ((_wish(clause, tools, has_trouble=has_trouble), clause) for clause in clauses)
    return [(topic, clause) for topic, clause in found if topic is not None]


def _pieces(text: str, tools: Sequence[ToolSpec]) -> list[Clause]:
    """Return the clauses, one with two wishes in it parted at its "and"."""
    pieces: list[Clause] = []
    for clause in clauses_of(text):
        joints = list(_JOIN.finditer(clause.text))[:_CUTS_MOST]
        cuts = [joint for joint in joints if _parts_wishes(clause.text, joint, tools)]
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


def _wish(clause: Clause, tools: Sequence[ToolSpec], *, has_trouble: bool) -> Topic | None:
    topics = topics_in(clause.text, tools)
    if not topics:
        return None
    topic = topics[0]
    if "THING" in topic.rule.weights and not _names_a_thing(clause.text, topic):
        return None
    tool = next(tool for tool in tools if tool.name == topic.action)
    if tool.is_read:
        return topic if _asks_to_read(clause, topic) else None
    if _asks_what_became(clause, topic):
        return next((replace(topic, action=other.name) for other in tools if other.is_read), None)
    return topic if _asks_to_do(clause, topic, has_trouble=has_trouble) else None


def _names_a_thing(text: str, topic: Topic) -> bool:
    """What examples say of an order must be said of one here, or of "it": "when will my flight arrive" is not."""
    named = any(mention.concept == "THING" for mention in topic.mentions)
    return named or _POINTS.search(text) is not None or (topic.weight >= _PLAINLY and topic.share >= _NEARLY_ALL)


def _asks_to_read(clause: Clause, topic: Topic) -> bool:
    """Looking something up may be asked for by a question, as long as it is about the customer's own."""
    text = clause.text
    if _HOW_TO.search(text) or stance.holds_back(text) or _CONDITIONAL.search(text) or _is_elsewhere(text, topic):
        return False
    if _MAY_CHANGE.search(clause.sentence):
        return False
    is_question = _is_asking(clause)
    looks = _LOOKS.search(text) is not None or stance.asks_to_be_told(text)
    wants = is_question or looks or _is_bare(text, topic)
    if topic.rule.asks and not wants:
        return False
    return not is_question or _OWN.search(text) is not None or bool(order_numbers_in(text))


def _asks_what_became(clause: Clause, topic: Topic) -> bool:
    """Return whether somebody asks what became of a wish: it is looked up, and nothing is done again."""
    text = stance.without_fillers(clause.text)
    if not asks_if_done(text) or _is_elsewhere(text, topic) or stance.holds_back(text) or _CONDITIONAL.search(text):
        return False
    return _OWN.search(text) is not None or speaks_of_self(text) or bool(order_numbers_in(text))


# "Can I still change where my parcel goes?" asks for a rule, or for the change itself.
_MAY_CHANGE: Final = re.compile(
    r"\b(?:change|changing|alter|decide|choose|ändern|umleiten|bestimmen),?\s+(?:where|wohin)\b"
    r"|\b(?:where|wohin)\b.*\b(?:send|return|zurückschicken|zurücksenden)\b",
    re.IGNORECASE,
)
_LOOKS: Final = re.compile(
    r"\b(?:show|tell|check|find|look|see|zeig|sag|prüf|schau|sieh|nachseh|guck)\w*", re.IGNORECASE
)


def _is_asking(clause: Clause) -> bool:
    text = clause.text
    is_conditional = _CONDITIONAL.search(text) is not None
    return clause.is_asked or stance.asks_whether(text) or stance.begins_with_question(text) or is_conditional


def _asks_to_do(clause: Clause, topic: Topic, *, has_trouble: bool) -> bool:
    text, keys = clause.text, _key_concepts(topic)
    first = min(mention.start for mention in topic.mentions if mention.concept in keys)
    last = max(mention.end for mention in topic.mentions if mention.concept in keys)
    if stance.is_negated(text[:first], text[last:]) or stance.holds_back(text):
        return False
    if stance.is_about(text, is_asked=clause.is_asked) or _is_elsewhere(text, topic):
        return False
    asks = stance.asks_for_it(text)
    if stance.reports(text) and not asks:
        return False
    is_specific = bool(order_numbers_in(text)) or _POINTED.search(text) is not None or has_trouble
    if stance.asks_whether(text) and not asks:
        return is_specific
    if asks or _is_imperative(text, topic):
        return not clause.is_asked or asks or is_specific
    return not clause.is_asked and (_is_bare(text, topic) or topic.weight >= _PLAINLY)


def _is_elsewhere(text: str, topic: Topic) -> bool:
    """Return whether it is about other business: an account or a booking, which the action's examples never name."""
    mentions = list(mentions_in(without_values(text)))
    others = [mention for mention in mentions if mention.concept == "ELSEWHERE"]
    if not others or "ELSEWHERE" in topic.rule.weights or any(mention.concept == "THING" for mention in mentions):
        return False
    return any(not _DESTINATION.search(text[: mention.start]) for mention in others)


# "to my card" says where the money goes.
_DESTINATION: Final = re.compile(
    r"\b(?:to|on|onto|into|via|by|with|from|auf|an|per|mit|von|in)\s+(?:my|the|a|mein\w*|das|die|den|der"
    r"|dem)?\s*(?:\w+\s+)?$",
    re.IGNORECASE,
)
_POINTED: Final = re.compile(
    r"\b(?:last|latest|most recent|previous|this|that|these|those|letzte\w*|neueste\w*|diese\w*|jüngste\w*) \w+",
    re.IGNORECASE,
)


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


_FINITE: Final = re.compile(
    r"\b(?:is|are|was|were|has|have|had|does|did|do|took|takes|went|came|will|can|ist|sind|war|waren|hat|habe|haben"
    r"|hatte|wird|wurde|werden|kam|geht|ging|kann)\b",
    re.IGNORECASE,
)


def _is_bare(text: str, topic: Topic) -> bool:
    """A few words that say nothing but the wish: "refund WF-20418", "Geld zurück"."""
    bare = stance.without_fillers(text)
    mentions = list(mentions_in(without_values(bare)))
    is_plain = all(mention.concept in topic.rule.weights or mention.concept in BESIDE for mention in mentions)
    return is_plain and not _FINITE.search(bare) and len(bare.split()) <= _SHORT_WORDS


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
