"""Classifies messages and detects intents, with a classification head on the packaged embedder's vectors.

`scripts/train_intents.py` trains the head on the rows in `data/intents.<language>.jsonl`. The head predicts the kind of
message and, for the actions in these rows, whether the message is a request ("wish"), a question, a refusal, a thought
or a report. Any other action needs only examples: the classes that the head predicts for them show which trained
requests the action resembles. If it resembles none, the distance to the examples decides.

Two more models recognise requests for a person; `scripts/train_persons.py` trains both. The first tells "Can I talk to
a person?" from "Am I talking to a person?", which share most of their words. It only divides the probability that the
head gives to both kinds together. It is trained on our own rows in `data/persons.jsonl` and on the head's rows of both
kinds. The second finds the request in messages such as "My jacket ripped, get me someone", in which the head mainly
sees the problem. It distinguishes only requests for a person from all other messages. It is trained on the same rows,
on our own rows in `data/person_requests.jsonl`, and on all rows of the intents and complaints.

A fourth model recognises requests for something that no catalogue action does, such as an invoice or a repair. In the
head's view, such a message resembles a refund request if it names an order. `scripts/train_other_requests.py` trains it
on the requests among the head's rows, and on our own rows in `data/other_requests.jsonl`. It only rules actions out,
and only those whose own examples resemble the catalogue's.

A fifth model recognises questions about whether something was done, such as "Did you refund it?", which look to the
head like a request to look up an order or to undo something. `scripts/train_done_questions.py` trains it on our own
rows in `data/done_questions.jsonl`, and on all rows of the intents and complaints. It counts only in a conversation
with actions.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np

from kb.embedders.packaged import PackagedEmbedder
from kb.errors import EmbeddingUnavailable
from supportbot.builtin.phrases import Courtesy
from supportbot.language.classifiers import Array, Ensemble, ensemble_in, hashed_features, linear_in, net_in, unit
from supportbot.language.detection import detect
from supportbot.language.normalise import fold_homoglyphs
from supportbot.language.order_numbers import order_numbers_in
from supportbot.llm.types import ToolSpec

DATA: Final = Path(__file__).parent / "data"
PERSONS_FILE: Final = DATA / "persons.npz"
PERSON_REQUESTS_FILE: Final = DATA / "person_requests.npz"
OTHER_REQUESTS_FILE: Final = DATA / "other_requests.npz"
DONE_QUESTIONS_FILE: Final = DATA / "done_questions.npz"
READ_MOST: Final = 1_000  # characters; nobody makes a request only at the end of a long text, and reading takes time
FEATURE_WORDS_MOST: Final = 120
QUESTIONS: Final = frozenset({"asks", "question", "hypothetical"})
# Messages such as "That is no use" and "It does not work" name no topic, but they do ask for something.
ASK_FOR_HELP: Final = frozenset({"complaint", "unclear"})
NO_REQUEST: Final = QUESTIONS | {"undo", "denies", "reports", "person", "contact", "nonsense"} | set(get_args(Courtesy))
SURE_FROM: Final = 0.6  # minimum probability of a kind
# Thresholds for the model that distinguishes requests for a person from all other messages. At or above the first one,
# a message asks for a person even if the head takes it for something else; at or above the second one, it does so if
# the head is sure as well. docs/decisions/built-in-answerer.md has the figures.
PERSON_FROM: Final = 0.85
PERSON_CONFIRMED_FROM: Final = 0.5
QUESTION_FROM: Final = 0.5  # a message that is this likely to be a question asks for a person only if the head is sure
# At or above this probability, a message counts as a mere "no". At .6, "nothing here yet" and 2 more of 82 short
# questions would count as a "no", too.
NO_FROM: Final = 0.9
# At or above these probabilities, a message asks to undo something: the first applies in general, the second after an
# action in the conversation, which makes such a request more likely. Without an action, a message between the
# thresholds leads to a question first. docs/decisions/built-in-answerer.md has the figures.
UNDO_FROM: Final = 0.4
UNDO_AFTER_DEED_FROM: Final = 0.2
# If it is unclear what a customer wants, an action with at least this probability is offered. Otherwise, the message is
# answered like any other, and the answer ends with an offer to hand over to a person.
# docs/decisions/built-in-answerer.md has the figures.
OFFERED_FROM: Final = 0.2
# Thresholds for the model that recognises requests for something that no catalogue action does. At or above the first
# one, an action is not prepared at once, and offered only if the head is certain of it; at or above the second one, it
# is not offered either. docs/decisions/built-in-answerer.md has the figures.
SOMETHING_ELSE_FROM: Final = 0.6
SURELY_SOMETHING_ELSE_FROM: Final = 0.8
# The model says nothing about an action whose examples have this mean probability or a higher one (the catalogue's have
# at most 0.014). From the second one, the action itself is one that the catalogue lacks, such as "Send the invoice".
SAME_KIND_BELOW: Final = 0.03
OWN_KIND_FROM: Final = 0.3
# At or above this probability, a message asks whether something was done. docs/decisions/built-in-answerer.md has the
# figures.
DONE_QUESTION_FROM: Final = 0.5
# The minimum probability that a message is about an action, for the action to count as named. Most words that only
# correct a number reach at most 0.17. docs/decisions/built-in-answerer.md has the figures.
NAMED_FROM: Final = 0.3
# How much nearer a message may be to the examples of an action that is ruled out than to those of an action that the
# catalogue lacks, for the latter to be offered. docs/decisions/built-in-answerer.md has the figures.
RULED_OUT_NEARER_BY_MOST: Final = 0.25
OTHER: Final = "other_action"  # a request for something that is not in the rows
UNDO: Final = "undo"  # a request to undo the last action; never a request for another action
NEAREST: Final = 3
# as in "the 2024 catalogue"; at the beginning of a message, such a number may be an order number
_YEAR: Final = r"(?:19|20)\d\d(?![\w-])"
_NUMBER: Final = re.compile(
    rf"(?<![\w.,])(?!(?<!\A){_YEAR})#?[A-Za-z]{{0,6}}[-_]?\d{{3,12}}(?:-\d{{1,6}})?(?![\w%€$£]|[.,]\d)"
)
_QUESTION: Final = re.compile(r"[?？؟;]\W*$")


@dataclass(frozen=True)
class Weights(Ensemble):
    """The head, which predicts the classes, and a logistic model of intents."""

    classes: tuple[str, ...]
    others: Array  # vectors of requests for something else
    pair: Array  # the weights for `evidence_of`, with the bias at the end
    acts_from: float
    asks_from: float


@dataclass(frozen=True)
class Classification:
    """The classification of a message: its unit vector and the probability of each class. `person`, `something_else`
    and `done_question` are the probabilities, according to separate models, that it asks for a person, that it requests
    something that no catalogue action does, and that it asks whether something was done. Without a vector, `person` is
    None, and the others are 0.
    """

    vector: Array
    chances: Array
    person: float | None = None
    something_else: float = 0.0
    done_question: float = 0.0

    @cached_property  # every turn reads all messages of a conversation
    def kinds(self) -> Mapping[str, float]:
        """The probability of each attitude towards an action, and of each other kind of message."""
        found: dict[str, float] = {}
        for name, chance in zip(weights_shipped().classes, self.chances.tolist(), strict=True):
            action, _, stance = name.partition("/")
            kind = "wish" if action == OTHER else stance or action
            found[kind] = found.get(kind, 0.0) + chance
        return found

    @property
    def kind(self) -> str:
        return max(self.kinds.items(), key=lambda entry: entry[1])[0]

    @property
    def is_clearly_no_request(self) -> bool:
        """Whether the message is clearly a question, a refusal, a report or a complaint."""
        return self.kind in NO_REQUEST and self.kinds[self.kind] >= SURE_FROM

    @property
    def asks_for_a_person(self) -> bool:
        """Whether the message is clearly a request for a person, whatever else it says."""
        is_sure = self.kinds["person"] >= SURE_FROM
        if self.person is None:
            return is_sure
        if is_sure:
            return self.person >= PERSON_CONFIRMED_FROM
        is_question = self.kinds["question"] + self.kinds["asks"] >= QUESTION_FROM
        return not is_question and self.person * (1 - self.kinds["who"]) >= PERSON_FROM


@dataclass(frozen=True, slots=True)
class ScoredIntent:
    """An action, and the probability that a message requests it. `something_else` is the probability, according to a
    separate model, that the message requests something else; 0 if the model says nothing about the action.
    """

    action: str
    chance: float
    something_else: float = 0.0

    @property
    def is_certain(self) -> bool:
        return self.chance >= weights_shipped().acts_from and self.something_else < SOMETHING_ELSE_FROM

    @property
    def is_worth_asking(self) -> bool:
        return self.chance >= weights_shipped().asks_from and not self.is_ruled_out

    @property
    def is_ruled_out(self) -> bool:
        """Whether the message requests something else instead of the action."""
        is_likely = self.chance >= weights_shipped().acts_from
        return self.something_else >= (SURELY_SOMETHING_ELSE_FROM if is_likely else SOMETHING_ELSE_FROM)


@dataclass(frozen=True, slots=True)
class DetectedIntent:
    """The action that a message requests, or the candidates that are worth asking about."""

    action: str = ""
    candidates: tuple[str, ...] = ()


@lru_cache(maxsize=2_048)
def classify(text: str) -> Classification:
    """Return the classification of a message. Each text is embedded only once."""
    plain = normalised(text)
    try:
        known = _examples_shipped().get(plain)
        return classification_of(plain, PackagedEmbedder().query(plain) if known is None else known)
    except EmbeddingUnavailable:  # this processor cannot run the embedder, so only the hashed features are used
        return classification_of(plain, None)


def language_of(text: str, expected: str) -> str:
    """Return the language of a message. Return the expected language if the words are inconclusive or only random
    keystrokes, whose letters may resemble any language.
    """
    found = detect(text, expected)
    return expected if found != expected and is_surely("nonsense", text) else found


def language_in(latest: str, earlier: str, expected: str) -> str:
    """Return the language of a customer's latest message. If it is only an order number, an address or random
    keystrokes, return the language of their earlier messages or, if these are inconclusive, the expected language. Both
    texts must be normalised.
    """
    return language_of(latest, language_of(earlier, expected))


def courtesy(text: str) -> Courtesy | None:
    """Return the courtesy that makes up the whole message; None if it says more. There is no search for courtesies."""
    if text.strip() and text.isascii() and not any(sign.isalnum() for sign in text):
        return "how_are_you"  # "??"
    if not text.strip() or classify(text).asks_for_a_person:  # "no more robots, thanks"
        return None
    return _may_ask_for_a_person(classify(text)) or _sure_courtesy(classify(text))


def says_nothing(text: str) -> bool:
    """Return whether a message contains no topic, because it is only a courtesy or "undo that", or has no words."""
    return courtesy(text) is not None or is_surely("nonsense", text) or wants_undo(text)


def is_mere_no(text: str) -> bool:
    """Return whether a message is only a "no" or a "never mind"."""
    return bool(text.strip()) and classify(text).kinds["negate"] >= NO_FROM


def courtesy_by_words(text: str) -> Courtesy | None:
    """Like `courtesy`, but based on the words alone, without a vector. This misses a few courtesies."""
    return _sure_courtesy(classification_of(normalised(text), None)) if text.strip() else None


def _sure_courtesy(message: Classification) -> Courtesy | None:
    kinds = message.kinds
    chances: dict[Courtesy, float] = {name: kinds.get(name, 0.0) for name in get_args(Courtesy)}
    if sure := next((name for name, chance in chances.items() if chance >= SURE_FROM), None):
        return sure
    # "Perfect, bye" may be a yes or a farewell, but is clearly one of the two.
    pleasant = {name: chance for name, chance in chances.items() if name not in ASK_FOR_HELP}
    likeliest = max(pleasant, key=lambda name: pleasant[name])
    return likeliest if sum(pleasant.values()) >= SURE_FROM else None


def _may_ask_for_a_person(message: Classification) -> Courtesy | None:
    """Return "who" for a message that either asks for a person or asks whether a person is answering, if it is unclear
    which. The answer to the latter question also offers to hand over to a person.
    """
    asks, either = message.kinds["person"], message.kinds["person"] + message.kinds["who"]
    return "who" if asks < SURE_FROM <= either else None


def wants_undo(text: str, tools: Sequence[ToolSpec] = (), *, is_after_deed: bool = False) -> bool:
    """Return whether the customer wants to undo an action. A message that matches one of an action's examples requests
    that action instead, and one that names several orders is about more than the last action.
    """
    least = UNDO_AFTER_DEED_FROM if is_after_deed else UNDO_FROM
    if not text.strip() or classify(text).kinds[UNDO] < least:
        return False
    return not any(_is_example(text, tool) for tool in tools) and len(order_numbers_in(text)) <= 1


def asks_whether_done(text: str) -> bool:
    """Return whether the customer asks whether something was done, such as "Has it been cancelled?"."""
    return bool(text.strip()) and classify(text).done_question >= DONE_QUESTION_FROM


def wants_person(text: str, tools: Sequence[ToolSpec] = ()) -> bool:
    """Return whether the customer asks to be put in touch with a human being. A message that matches one of an
    action's examples, such as "I need a technician", requests that action instead.
    """
    if not text.strip() or not classify(text).asks_for_a_person:
        return False
    return not any(_is_example(text, tool) for tool in tools)


def is_surely(kind: str, text: str) -> bool:
    """Return whether a message is clearly of a kind, such as "contact" (how to reach the team) or "affirm" (a yes)."""
    return bool(text.strip()) and classify(text).kinds.get(kind, 0.0) >= SURE_FROM


def normalised(text: str) -> str:
    """Return the text cut to length, with the same placeholder for all order numbers."""
    return _NUMBER.sub("12345", text[:READ_MOST])


def without_records(text: str) -> str:
    """Return the text without its order numbers and other numbers of records."""
    return " ".join(_NUMBER.sub(" ", text).split())


def classification_of(text: str, vector: Sequence[float] | None) -> Classification:
    """Return the classification of the text. `vector` is the packaged embedder's `query` vector, or None if it cannot
    run.
    """
    weights, shape = weights_shipped(), shape_of(text)
    features = hashed_features(fold_homoglyphs(text), most=FEATURE_WORDS_MOST)
    side = None if vector is None else unit(vector)
    share = float(_person_or_who().chances(features, side, shape)[1])
    chances = _with_person_share(weights.chances(features, side, shape), share)
    if side is None:
        return Classification(weights.net.centre, chances)
    models = (_person_requests(), _other_requests(), _done_questions())
    return Classification(side, chances, *(float(one.chances(features, side, shape)[1]) for one in models))


def _with_person_share(chances: Array, share: float) -> Array:
    """Return the probabilities, with the sum of "person" and "who" divided again: `share` is the part that "person"
    gets.
    """
    person, who = (weights_shipped().classes.index(kind) for kind in ("person", "who"))
    divided = chances.copy()
    divided[[person, who]] = (chances[person] + chances[who]) * np.array([share, 1 - share], dtype=chances.dtype)
    return divided


def score_intents(text: str, tools: Sequence[ToolSpec]) -> list[ScoredIntent]:
    """Return the actions, each with the probability that the message requests it, most likely first."""
    known = [tool for tool in tools if tool.examples]
    if not known or not text.strip():
        return []
    message, profiles = classify(text), [_profile(tool.examples) for tool in known]
    weights = weights_shipped()
    logits = evidence_of(message, profiles, weights) @ weights.pair[:-1] + weights.pair[-1]
    chances = (1 / (1 + np.exp(-logits))).tolist()
    is_example = [_is_example(text, tool) for tool in known]
    others = [message.something_else if profile.something_else < SAME_KIND_BELOW else 0.0 for profile in profiles]
    found = [
        ScoredIntent(tool.name, 1.0) if is_own else ScoredIntent(tool.name, chance, other)
        for tool, chance, other, is_own in zip(known, chances, others, is_example, strict=True)
    ]
    return sorted(found, key=lambda intent: intent.chance, reverse=True)


def possible_intents(text: str, tools: Sequence[ToolSpec]) -> list[ScoredIntent]:
    """Like `score_intents`, but without the actions that are ruled out. If the message resembles an action that the
    catalogue lacks, these do not count as its rivals either. It is then at most offered, since a lack of rivals raises
    the probability of any action.
    """
    tools = [tool for tool in tools if tool.examples]
    found = score_intents(text, tools)
    possible = {intent.action: intent for intent in found if not intent.is_ruled_out}
    if len(possible) == len(found):
        return found
    remaining = [tool for tool in tools if tool.name in possible]
    without_rivals = {intent.action: intent.chance for intent in score_intents(text, remaining)}
    nearness = {tool.name: _nearest(_profile(tool.examples).vectors @ centred_vector(text)) for tool in tools}
    least = max(nearness.values(), default=0.0) - RULED_OUT_NEARER_BY_MOST
    just_below = weights_shipped().acts_from - 1e-6
    for tool in remaining:
        chance = min(without_rivals[tool.name], just_below)
        is_own_kind = _profile(tool.examples).something_else >= OWN_KIND_FROM
        if is_own_kind and nearness[tool.name] >= least and chance > possible[tool.name].chance:
            possible[tool.name] = ScoredIntent(tool.name, chance)
    return sorted(possible.values(), key=lambda intent: intent.chance, reverse=True)


def names_action(text: str, tool: ToolSpec) -> bool:
    """Return whether a message is about an action, whether it requests it or not: a single word such as "cancel" looks
    more like a question about cancellations than like a request for one.
    """
    if not text.strip():
        return False
    return float(_subjects(classify(text).chances) @ _subjects(_profile(tool.examples).likeness)) >= NAMED_FROM


def _subjects(of_classes: Array) -> Array:
    """Return the sums of the values of all classes about the same action, in the order of the trained actions."""
    found: dict[str, float] = {}
    for name, value in zip(weights_shipped().classes, of_classes.tolist(), strict=True):
        action, _, stance = name.partition("/")
        if stance or action == OTHER:
            found[action] = found.get(action, 0.0) + value
    return np.array(list(found.values()), dtype=np.float32)


def _is_example(text: str, tool: ToolSpec) -> bool:
    """Return whether the text is, word for word, an example of the action or its title, which buttons send."""
    said = " ".join(normalised(text).casefold().split())
    return any(said == normalised(known).casefold() for known in (*tool.examples, tool.title) if known)


def detect_intent(text: str, tools: Sequence[ToolSpec]) -> DetectedIntent:
    """Return the action that a message requests or, if none is certain, the candidates; neither if it clearly requests
    nothing.
    """
    found = possible_intents(text, tools)
    if found and wants_undo(text, tools):  # never a request for something new
        return DetectedIntent()
    if found and found[0].is_certain and not wants_undo(text, tools, is_after_deed=True):
        return DetectedIntent(found[0].action)
    if not found or classify(text).is_clearly_no_request:
        return DetectedIntent()
    return DetectedIntent(candidates=tuple(intent.action for intent in found[:2] if intent.chance >= OFFERED_FROM))


@dataclass(frozen=True)
class ActionProfile:
    """An action's profile: the centred vectors of its examples, how much they resemble each trained request, and the
    mean probability that they request something that no catalogue action does.
    """

    vectors: Array
    likeness: Array  # one value per class
    something_else: float


def evidence_of(message: Classification, actions: Sequence[ActionProfile], weights: Weights) -> Array:
    """Return a row for each action, with the evidence that the message requests it."""
    around = centred(message.vector, weights.net.centre)
    near = np.array([_nearest(action.vectors @ around) for action in actions])
    known = np.array([action.likeness @ message.chances for action in actions])
    elsewhere = _nearest(weights.others @ around)
    is_other = np.array([action.likeness[weights.classes.index(OTHER)] for action in actions])
    rival = np.array([max((near[j] for j in range(len(near)) if j != i), default=0.0) for i in range(len(near))])
    likelihood = np.log(np.clip(known, 1e-5, 1) / np.clip(1 - known, 1e-5, 1))
    return np.column_stack(
        [likelihood, near, near - rival, near - elsewhere, is_other, is_other * likelihood, is_other * near,
         is_other * (near - elsewhere)]
    ).astype(np.float32)  # fmt: skip


def profile_from(readings: Sequence[Classification], weights: Weights) -> ActionProfile:
    """Return the profile of an action whose examples have these classifications."""
    is_wish = np.array([name.endswith("/wish") or name == OTHER for name in weights.classes], dtype=np.float32)
    shares = np.mean([reading.chances * is_wish for reading in readings], axis=0)
    vectors = np.array([centred(reading.vector, weights.net.centre) for reading in readings])
    likeness = (shares / max(float(shares.sum()), 1e-9)).astype(np.float32)
    return ActionProfile(vectors, likeness, float(np.mean([reading.something_else for reading in readings])))


def centred_vector(text: str) -> Array:
    """Return the text's unit vector relative to the centre of all texts."""
    return centred(classify(text).vector, weights_shipped().net.centre)


def centred(vector: Array, centre: Array) -> Array:
    """Return a vector relative to the centre, normalised to unit length."""
    return unit(vector - centre)


def shape_of(text: str) -> Array:
    """Return the features of the text that have a meaning in any language: punctuation, length and digits."""
    said = text.strip()
    length = len(said.split())
    return np.array(
        [
            _QUESTION.search(said) is not None, "?" in said, "!" in said, any(sign.isdigit() for sign in said),
            min(length, 60) / 20, length <= 1, length <= 2, length <= 3, length <= 5, "," in said, "." in said[:-1],
            said[:1].isupper(), "..." in said or "…" in said,
        ],
        dtype=np.float32,
    )  # fmt: skip


def _nearest(likeness: Array) -> float:
    return float(np.sort(likeness)[-NEAREST:].mean()) if len(likeness) else 0.0


@lru_cache(maxsize=256)
def _profile(examples: tuple[str, ...]) -> ActionProfile:
    return profile_from([classify(example) for example in examples], weights_shipped())


@cache
def _examples_shipped() -> Mapping[str, Sequence[float]]:
    """Return the stored vectors of the catalogue's examples, by text. Computing these two hundred vectors would delay a
    process by seconds.
    """
    with np.load(DATA / "examples.npz") as stored:
        return dict(zip(stored["texts"].tolist(), stored["vectors"].astype(np.float32).tolist(), strict=True))


@cache
def weights_shipped() -> Weights:
    """Return the weights; read once per process."""
    with np.load(DATA / "intents.npz") as stored:
        return weights_from(stored)


@cache
def _person_or_who() -> Ensemble:
    """Return the model that tells requests for a person (class 1) from questions about who is answering."""
    with np.load(PERSONS_FILE) as stored:
        return ensemble_in(stored)


@cache
def _person_requests() -> Ensemble:
    """Return the model that tells requests for a person (class 1) from all other messages."""
    with np.load(PERSON_REQUESTS_FILE) as stored:
        return ensemble_in(stored)


@cache
def _other_requests() -> Ensemble:
    """Return the model that tells requests for something that no catalogue action does (class 1) from requests for
    these actions.
    """
    with np.load(OTHER_REQUESTS_FILE) as stored:
        return ensemble_in(stored)


@cache
def _done_questions() -> Ensemble:
    """Return the model that tells questions about whether something was done (class 1) from all other messages."""
    with np.load(DONE_QUESTIONS_FILE) as stored:
        return ensemble_in(stored)


def weights_from(stored: Mapping[str, Any]) -> Weights:
    others, pair = (np.asarray(stored[name], dtype=np.float32) for name in ("others", "pair"))
    classes, acts, asks = (stored[name] for name in ("classes", "acts_from", "asks_from"))
    return Weights(linear_in(stored), net_in(stored), tuple(map(str, classes)), others, pair, float(acts), float(asks))
