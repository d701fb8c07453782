"""What a message is and what it wishes for, told by a head on the packaged embedder's vectors.

The head was taught by `scripts/train_intents.py` from the rows in `data/intents.<language>.jsonl`: which kind of
message it is, and for the actions that the rows know, whether it is a wish, a question, a refusal, a thought or a
report. An action is heard from its own examples alone: what the head makes of them says which of the taught wishes it
is like, and how near its examples are decides where it is like none of them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np

from kb.embedders.packaged import PackagedEmbedder
from kb.errors import EmbeddingUnavailable
from supportbot.builtin.phrases import Courtesy
from supportbot.language.normalise import undisguised
from supportbot.language.pieces import pieces_of
from supportbot.llm.types import ToolSpec

DATA: Final = Path(__file__).parent / "data"
READ_MOST: Final = 1_000  # characters; nobody wishes at the end of a long text only, and what is read costs time
PIECES_MOST: Final = 120
QUESTIONS: Final = frozenset({"asks", "question", "hypothetical"})
NO_WISHES: Final = QUESTIONS | {"denies", "reports", "person", "contact"} | set(get_args(Courtesy))
PLAINLY: Final = 0.6
OTHER: Final = "other_action"  # a wish for something that no row knows
VECTOR_SHARE: Final = 0.6  # of the net in the geometric mean of the two models
NEAREST: Final = 3
_NUMBER: Final = re.compile(r"(?<![\w.,])#?[A-Za-z]{0,6}[-_]?\d{3,12}(?:-\d{1,6})?(?![\w%€$£]|[.,]\d)")
_QUESTION: Final = re.compile(r"[?？؟;]\W*$")

Array = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Weights:
    """A small net over vector and shape, a linear model over hashed pieces of words, and what wishes are told by."""

    classes: tuple[str, ...]
    centre: Array
    scale: Array
    hidden: Array
    hidden_bias: Array
    out: Array
    out_bias: Array
    pieces: Array
    pieces_bias: Array
    others: Array  # vectors of wishes for something else
    pair: Array  # of `evidence_of`, and its bias at the end
    acts_from: float
    asks_from: float


@dataclass(frozen=True)
class Reading:
    """One message: its unit vector, and how likely it is of each class."""

    vector: Array
    chances: Array

    @property
    def kinds(self) -> Mapping[str, float]:
        """How likely the message is each stance towards an action, and each of the other kinds."""
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
    def is_plainly_none(self) -> bool:
        """Whether somebody asks, denies, reports or complains, and surely so."""
        return self.kind in NO_WISHES and self.kinds[self.kind] >= PLAINLY


@dataclass(frozen=True, slots=True)
class Wished:
    """An action and how likely a message wishes for it."""

    action: str
    chance: float

    @property
    def is_heard(self) -> bool:
        return self.chance >= weights_shipped().acts_from

    @property
    def is_worth_asking(self) -> bool:
        return self.chance >= weights_shipped().asks_from


@dataclass(frozen=True, slots=True)
class Heard:
    """What comes of a message: the action it wishes for, or those that may be meant and are worth asking about."""

    wish: str = ""
    doubted: tuple[str, ...] = ()


@lru_cache(maxsize=2_048)
def read(text: str) -> Reading:
    """Return what a message is; a text is embedded once, whoever asks."""
    plain = plainly(text)
    try:
        known = _examples_shipped().get(plain)
        return reading_of(plain, PackagedEmbedder().query(plain) if known is None else known)
    except EmbeddingUnavailable:  # a processor that cannot run it: the pieces of words are left
        return reading_of(plain, None)


def courtesy(text: str) -> Courtesy | None:
    """Return which courtesy the whole message is, None if it says anything more: what is one is never searched for."""
    if text.strip() and text.isascii() and not any(sign.isalnum() for sign in text):
        return "how_are_you"  # "??"
    return next((name for name in get_args(Courtesy) if is_surely(name, text)), None)


def wants_person(text: str) -> bool:
    """Return whether the customer asks to be put in touch with a human being."""
    return is_surely("person", text)


def is_surely(kind: str, text: str) -> bool:
    """Return whether a message is surely of a kind, such as "contact" (how to reach the team) or "affirm" (a yes)."""
    return bool(text.strip()) and read(text).kinds.get(kind, 0.0) >= PLAINLY


def plainly(text: str) -> str:
    """Return the text as it is read: cut, and with one order number for all, whose letters say nothing."""
    return _NUMBER.sub("12345", text[:READ_MOST])


def reading_of(text: str, vector: Sequence[float] | None) -> Reading:
    """Return what a text is, whose vector (`query` of the packaged embedder) is known, or cannot be."""
    weights = weights_shipped()
    found = list(pieces_of(undisguised(text), most=PIECES_MOST))
    summed = weights.pieces[found].sum(axis=0) / np.sqrt(max(len(found), 1)) + weights.pieces_bias
    if vector is None:
        return Reading(weights.centre, softmax(summed))
    unit = np.asarray(vector, dtype=np.float32)
    unit = unit / max(float(np.linalg.norm(unit)), 1e-9)
    seen = np.concatenate([(unit - weights.centre) / weights.scale, shape_of(text)])
    by_vector = softmax(np.maximum(seen @ weights.hidden + weights.hidden_bias, 0) @ weights.out + weights.out_bias)
    both = by_vector**VECTOR_SHARE * softmax(summed) ** (1 - VECTOR_SHARE)
    return Reading(unit, both / both.sum())


def wished_in(text: str, tools: Sequence[ToolSpec]) -> list[Wished]:
    """Return the actions with how likely the message wishes for each, likeliest first."""
    taught = [tool for tool in tools if tool.examples]
    if not taught or not text.strip():
        return []
    message, learnt = read(text), [_learnt(tool.examples) for tool in taught]
    weights = weights_shipped()
    logits = evidence_of(message, learnt, weights) @ weights.pair[:-1] + weights.pair[-1]
    chances = (1 / (1 + np.exp(-logits))).tolist()
    said = plainly(text).casefold()
    is_example = [any(said == plainly(example).casefold() for example in tool.examples) for tool in taught]
    found = [
        Wished(tool.name, 1.0 if is_own else chance)
        for tool, chance, is_own in zip(taught, chances, is_example, strict=True)
    ]
    return sorted(found, key=lambda wished: wished.chance, reverse=True)


def heard_in(text: str, tools: Sequence[ToolSpec]) -> Heard:
    """Return what comes of a message by both thresholds; nothing is asked back where it plainly wishes for nothing."""
    found = wished_in(text, tools)
    if found and found[0].is_heard:
        return Heard(found[0].action)
    if not found or read(text).is_plainly_none:
        return Heard()
    return Heard(doubted=tuple(wished.action for wished in found[:2] if wished.is_worth_asking))


@dataclass(frozen=True)
class Learnt:
    """What an action's examples tell: their vectors around the centre, and which taught wishes they are like."""

    vectors: Array
    likeness: Array  # by class


def evidence_of(message: Reading, actions: Sequence[Learnt], weights: Weights) -> Array:
    """Return a row for each action of what speaks for a wish for it."""
    around = centred(message.vector, weights.centre)
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


def learnt_from(readings: Sequence[Reading], weights: Weights) -> Learnt:
    """Return what examples tell, of which nobody knows but that they are wishes."""
    is_wish = np.array([name.endswith("/wish") or name == OTHER for name in weights.classes], dtype=np.float32)
    shares = np.mean([reading.chances * is_wish for reading in readings], axis=0)
    vectors = np.array([centred(reading.vector, weights.centre) for reading in readings])
    return Learnt(vectors, (shares / max(float(shares.sum()), 1e-9)).astype(np.float32))


def apart(text: str) -> Array:
    """Return the unit vector of what sets a text apart from all others."""
    return centred(read(text).vector, weights_shipped().centre)


def centred(vector: Array, centre: Array) -> Array:
    """Return the unit vector of what sets a text apart from all others."""
    apart = vector - centre
    return apart / max(float(np.linalg.norm(apart)), 1e-9)


def softmax(logits: Array) -> Array:
    odds = np.exp(logits - logits.max())
    shares: Array = odds / odds.sum()
    return shares


def shape_of(text: str) -> Array:
    """Return what of a text says something in any language: its signs, its length, whether it has figures."""
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
def _learnt(examples: tuple[str, ...]) -> Learnt:
    return learnt_from([read(example) for example in examples], weights_shipped())


@cache
def _examples_shipped() -> Mapping[str, Sequence[float]]:
    """Return the vectors of the catalogue's examples: to make two hundred would cost a process its first seconds."""
    with np.load(DATA / "examples.npz") as stored:
        return dict(zip(stored["texts"].tolist(), stored["vectors"].astype(np.float32).tolist(), strict=True))


@cache
def weights_shipped() -> Weights:
    """Return the weights; read once a process."""
    with np.load(DATA / "intents.npz") as stored:
        values = {name: stored[name] for name in stored.files}
    classes, acts, asks = values.pop("classes"), values.pop("acts_from"), values.pop("asks_from")
    arrays = {name: value.astype(np.float32) for name, value in values.items()}
    return Weights(classes=tuple(classes.tolist()), acts_from=float(acts), asks_from=float(asks), **arrays)
