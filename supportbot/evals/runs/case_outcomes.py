"""The outcome of running a case: plain values that are stored as JSON and graded. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal

# How a tool call by the model ended. Only actions that a customer confirmed are carried out, with a simulated merchant:
# "done", or "not_done" if the merchant or the rules then refused them.
CallEnd = Literal[
    "proposed", "refused", "answered", "handed_over", "withdrawn", "rejected", "done", "not_done", "declined"
]


# Signs that a model follows its rules less well, which no case tests and customers may not notice: the checks withheld
# something, or had to find a claim's source themselves.
SIGNALS: Final = ("withheld", "unmarked")
JUDGE_VERSION: Final = "judge-1"  # the version of the judging model's prompt
# who answers when no model does; "given" means that the case contains the answer
WITHOUT_MODEL: Final = ("builtin", "given")


@dataclass(frozen=True, slots=True)
class MadeCall:
    """A tool call by the model: its arguments, how it ended, and the code of the reason."""

    name: str
    arguments: Mapping[str, Any]
    end: CallEnd
    reason: str = ""
    words: str = ""  # the text of the card or refusal that the customer would read
    approvals: int = 0  # the number of approvals that the action would need


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one customer message, with its sources."""

    said: str
    text: str
    citations: tuple[Mapping[str, Any], ...] = ()
    passages: tuple[Mapping[str, Any], ...] = ()
    withheld: tuple[Mapping[str, Any], ...] = ()
    calls: tuple[MadeCall, ...] = ()
    query: str = ""
    by: str = ""
    is_abstention: bool = False
    is_confirmed: bool | None = None
    support: float | None = None  # the mean of the checks' scores; None without claims
    took_ms: float = 0.0
    unmarked: int = 0  # claims whose source the checks had to find because the model named none
    detected: tuple[str, ...] = ()  # the actions that the built-in answerer detects in the message, or would ask about
    ranked: tuple[str, ...] = ()  # articles that a search for the message finds, best first; only for `hit5`
    is_answerable: bool | None = None  # whether search considers it answerable; only for `answerable`
    inputs: str = ""  # a digest of everything the turn found; `run_worker` uses it to detect changes
    pressed: str = ""  # "confirm" or "decline" if the customer decided on a card and wrote nothing

    @property
    def spoken(self) -> str:
        """The customer's message, or their decision on a card."""
        return f"[{self.pressed} the card]" if self.pressed else self.said

    @property
    def is_touched(self) -> bool:
        """Whether the checks withheld something or marked the answer as unconfirmed."""
        return bool(self.withheld) or self.is_confirmed is False

    @property
    def sources(self) -> tuple[str, ...]:
        """The external ids of the cited articles, in order."""
        return tuple(str(one["external_id"]) for one in self.citations)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A judging model's verdict. `is_good` is None if it was unusable."""

    is_good: bool | None
    words: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class CaseTry:
    """One try of a case. `failure` is the code of the error that ended it early."""

    replies: tuple[Reply, ...]
    failure: str = ""
    cost: str = ""  # a decimal number, or "" if no price is known
    currency: str = ""
    tokens: int = 0
    judgement: Judgement | None = None
    conversation: str = ""  # the id under which its model calls are recorded
    by_model: bool = False  # whether a model played the customer
    signals: tuple[str, ...] = ()  # names from `SIGNALS`
    records: Mapping[str, Any] | None = None  # the merchant's changed records at the end

    @property
    def last(self) -> Reply:
        return self.replies[-1] if self.replies else Reply("", "")

    @property
    def calls(self) -> tuple[MadeCall, ...]:
        return tuple(call for reply in self.replies for call in reply.calls)

    @property
    def is_deterministic(self) -> bool:
        """Whether running it again would give the same result, because no model was used."""
        is_without_model = all(reply.by in WITHOUT_MODEL for reply in self.replies)
        return self.judgement is None and not self.by_model and is_without_model

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def signals_of(replies: Sequence[Reply]) -> tuple[str, ...]:
    """Return the `SIGNALS` present in a conversation."""
    found = {"withheld": any(reply.withheld for reply in replies), "unmarked": any(reply.unmarked for reply in replies)}
    return tuple(name for name in SIGNALS if found[name])


def played_from(stored: Mapping[str, Any]) -> CaseTry:
    """Return the value stored by `as_json`, ignoring unknown keys from other versions."""
    judgement = stored.get("judgement")
    return CaseTry(
        **{
            **_known(CaseTry, stored),
            "replies": tuple(map(_reply, stored["replies"])),
            "signals": tuple(stored.get("signals", ())),
            "judgement": Judgement(**_known(Judgement, judgement)) if judgement else None,
        }
    )


def _reply(stored: Mapping[str, Any]) -> Reply:
    listed = {name: tuple(stored[name]) for name in ("citations", "passages", "withheld")}
    listed["detected"] = tuple(stored.get("detected", ()))
    calls = tuple(MadeCall(**_known(MadeCall, call)) for call in stored["calls"])
    return Reply(**{**_known(Reply, stored), **listed, "calls": calls})


def _known(kind: type[Reply | MadeCall | Judgement | CaseTry], stored: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in stored.items() if name in names}
