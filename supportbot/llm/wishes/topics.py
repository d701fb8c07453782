"""Which action a text speaks of, learned from the actions' own examples. Pure.

Each example becomes a rule: the concepts it speaks of, and how much each of them weighs. A text that holds enough of a
rule speaks of its action. Concepts that return in an action's examples, its title and its description weigh most; what
stands in one example only (a shirt, a town) weighs little; what all actions share weighs little too.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from supportbot.llm.types import ToolSpec
from supportbot.llm.wishes.concepts import KNOWN, WEIGHTS, Mention, mentions_in
from supportbot.llm.wishes.values import without_values

ENOUGH: Final = 0.72  # of a rule's weight
_LEAST: Final = 0.55  # the weight of one concept that can make a wish alone
_ALONE: Final = 0.8
_NO_WISH: Final = frozenset({"NOT", "YET", "MINE", "THING"})  # of whatever is spoken of
_ONCE_SHARE, _SHARED_SHARE = 0.25, 0.3


@dataclass(frozen=True, slots=True)
class Rule:
    """One example of an action, as concepts with their weights. `asks`: it is a question."""

    action: str
    weights: Mapping[str, float]
    asks: bool = False


@dataclass(frozen=True, slots=True)
class Topic:
    """An action that a text speaks of, by which rule, and the mentions that make it so."""

    action: str
    rule: Rule
    share: float
    mentions: tuple[Mention, ...]

    @property
    def weight(self) -> float:
        found = (mention.concept for mention in self.mentions if mention.concept not in _NO_WISH)
        return sum(self.rule.weights[concept] for concept in found)


def topics_in(text: str, tools: Sequence[ToolSpec]) -> list[Topic]:
    """Return the actions that the text speaks of, the strongest first, each by its best rule."""
    mentions = list(mentions_in(without_values(text)))
    spoken_of = {mention.concept for mention in mentions}
    best: dict[str, Topic] = {}
    for rule in rules_of(tuple(tools)):
        topic = None if spoken_of.isdisjoint(rule.weights) else _match(rule, mentions)
        if topic is not None and (rule.action not in best or _strength(topic) > _strength(best[rule.action])):
            best[rule.action] = topic
    return sorted(best.values(), key=_strength, reverse=True)


def _strength(topic: Topic) -> tuple[float, bool, float]:
    """A rule that is no question fits what is said either way, so it comes before one that is."""
    return topic.weight, not topic.rule.asks, topic.share


def _match(rule: Rule, mentions: Sequence[Mention]) -> Topic | None:
    found: dict[str, Mention] = {}
    for mention in mentions:
        if mention.concept in rule.weights and mention.concept not in found:
            found[mention.concept] = mention
    share = sum(rule.weights[concept] for concept in found) / sum(rule.weights.values())
    own = [rule.weights[concept] for concept in found if concept not in WEIGHTS]
    if share < ENOUGH or max(own, default=0.0) < _LEAST:
        return None
    return Topic(rule.action, rule, share, tuple(found.values()))


@lru_cache(maxsize=64)
def rules_of(tools: tuple[ToolSpec, ...]) -> tuple[Rule, ...]:
    """Return the rules that the tools' examples make."""
    spoken = {tool.name: _spoken(tool) for tool in tools if tool.examples}
    users = Counter(concept for concepts in spoken.values() for concept in set(concepts))
    return tuple(
        rule
        for tool in tools
        for example in tool.examples
        if (rule := _rule(tool, example, spoken[tool.name], users, len(spoken))) is not None
    )


def _spoken(tool: ToolSpec) -> Counter[str]:
    """Return in how many texts of a tool each concept stands; title and description count like examples."""
    texts = (*tool.examples, tool.title, tool.description, tool.name.replace("_", " "))
    return Counter(concept for text in texts for concept in _concepts(text))


def _concepts(text: str) -> set[str]:
    return {mention.concept for mention in mentions_in(without_values(text))}


def _rule(tool: ToolSpec, example: str, spoken: Counter[str], users: Counter[str], actions: int) -> Rule | None:
    weights = {
        concept: weight
        for concept in _concepts(example)
        if (weight := _weight(concept, spoken[concept], users[concept], actions)) > 0
    }
    if all(concept in WEIGHTS or weight < _LEAST for concept, weight in weights.items()):
        # Nothing in it returns elsewhere: then its own words are all there is to know it by, and all are needed.
        weights = {concept: WEIGHTS.get(concept, _ALONE) for concept in weights}
    return Rule(tool.name, weights, example.rstrip().endswith("?")) if weights.keys() - WEIGHTS.keys() else None


def _weight(concept: str, times: int, users: int, actions: int) -> float:
    if concept in KNOWN:
        return WEIGHTS.get(concept, 1.0)
    weight = 1.0 if times > 1 else _ONCE_SHARE
    return weight * _SHARED_SHARE if 1 < actions <= users else weight
