"""A suite as a document: its cases and their expectations. Pure. Parsing is strict, and errors name the file, the case
and the key. `docs/evaluation.schema.json` describes the same format for editors; a test keeps them in step.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.translation import gettext

from supportbot.evals.errors import InvalidSuite
from supportbot.evals.runs.recorded_answers import RecordedAnswer, recorded_answer_document, recorded_answer_of
from supportbot.evals.simulation.case_orders import orders_in
from supportbot.evals.simulation.prompt_injection import PlantedTexts, plant_of, planted
from supportbot.evals.simulation.simulation_format import Simulation, simulated, simulation_of
from supportbot.evals.suite_formats.document_values import (
    at,
    check_storable_values,
    flag_of,
    mapping_of,
    number_of,
    only,
    placed,
    text_of,
    texts_of,
    unknown_key,
)
from supportbot.evals.suite_formats.expectations import EXPECTATIONS, checked_value, is_expectation

MAX_CASES: Final = 2_000
MAX_STEPS: Final = 20
MAX_REPEAT: Final = 20
MAX_HISTORY: Final = 200
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_KEY: Final = re.compile(r"[\w.:-]{1,80}")
_SPEAKERS: Final = ("customer", "assistant")
SUITE_KEYS: Final = frozenset({"suite", "title", "about", "defaults", "cases"})
SHARED_KEYS: Final = frozenset({"customer", "locale", "must", "repeat", "tags"})
CASE_KEYS: Final = SHARED_KEYS | {
    "id", "ask", "steps", "history", "simulate", "plant", "orders", "given", "expect", "note",
}  # fmt: skip
STEP_KEYS: Final = frozenset({"say", "expect"})
Expectations = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """A customer's message, and the expectations for its answer."""

    say: str
    expect: Expectations = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Case:
    """A question or a scripted conversation. `expect` contains the expectations for its end.

    `customer` is the merchant's id of the customer; "" is a visitor.
    """

    key: str
    steps: tuple[Step, ...]
    expect: Expectations = field(default_factory=dict, hash=False)
    history: tuple[tuple[str, str], ...] = ()  # earlier messages, as (customer or assistant, text)
    simulate: Simulation | None = None
    plant: PlantedTexts | None = None
    # the customer's orders, which replace those of the shop
    orders: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)
    given: RecordedAnswer | None = None
    customer: str = ""
    locale: str = ""
    is_must: bool = False
    repeat: int = 1
    tags: tuple[str, ...] = ()
    note: str = ""

    @property
    def asks(self) -> str:
        """The customer's first message, to show in lists."""
        return self.steps[0].say if self.steps else self.simulate.goal if self.simulate else ""

    @property
    def needs_merchant(self) -> bool:
        """Whether the case runs against a simulated merchant."""
        return "records" in self.expect or (self.simulate is not None and self.simulate.confirms)

    def expects(self, name: str) -> bool:
        """Return whether the case, or one of its steps, has this expectation."""
        return any(name in expect for expect in (self.expect, *(step.expect for step in self.steps)))

    @property
    def rubric(self) -> str:
        return str(self.expect.get("judge", ""))


@dataclass(frozen=True, slots=True)
class Suite:
    name: str
    title: str
    cases: tuple[Case, ...]
    about: str = ""


def parse_suite(data: Any, *, file: str) -> Suite:
    """Return the suite in a parsed file. Raises InvalidSuite, which names the file, the case and the key."""
    found = mapping_of(data, file)
    only(found, SUITE_KEYS, file)
    check_storable_values([found.get("title"), found.get("about")], file)
    name = text_of(found, "suite", file, needed=True)
    if not _NAME.fullmatch(name):
        raise InvalidSuite(
            placed(file, gettext("`suite` must be a short name of lowercase letters, digits and hyphens."))
        )
    defaults = mapping_of(found.get("defaults", {}), placed(file, "defaults"))
    only(defaults, SHARED_KEYS, placed(file, "defaults"))
    rows = found.get("cases")
    if not isinstance(rows, list) or not rows:
        raise InvalidSuite(placed(file, gettext("`cases` must contain at least one case.")))
    if len(rows) > MAX_CASES:
        raise InvalidSuite(placed(file, gettext("a suite can have at most {most} cases.").format(most=MAX_CASES)))
    cases = tuple(parse_case({**defaults, **mapping_of(row, at(file, n))}, file=file, number=n)
                  for n, row in enumerate(rows, 1))  # fmt: skip
    _check_keys(cases, file)
    return Suite(name, text_of(found, "title", file) or name, cases, text_of(found, "about", file))


def parse_case(data: Any, *, file: str = "", number: int = 1) -> Case:
    """Return a case from its document. Raises InvalidSuite."""
    found = mapping_of(data, at(file, number))
    key = str(found.get("id", "") or number)
    where = placed(file, gettext("case {key}").format(key=key[:80]))
    if not _KEY.fullmatch(key):
        raise InvalidSuite(placed(where, gettext("`id` must be a name without spaces, of at most 80 characters.")))
    only(found, CASE_KEYS, where)
    check_storable_values(found, where)
    case = Case(
        key=key,
        steps=tuple(_steps(found, where)),
        expect=_expectations(found.get("expect", {}), where),
        history=tuple(_history(found.get("history", []), where)),
        simulate=simulation_of(found["simulate"], where) if "simulate" in found else None,
        plant=plant_of(found["plant"], where) if "plant" in found else None,
        orders=orders_in(found["orders"], where) if "orders" in found else (),
        given=recorded_answer_of(found["given"], where) if "given" in found else None,
        customer=text_of(found, "customer", where),
        locale=text_of(found, "locale", where),
        is_must=flag_of(found, "must", where),
        repeat=number_of(found, "repeat", where, most=MAX_REPEAT, default=1),
        tags=tuple(texts_of(found.get("tags", []), "tags", where)),
        note=text_of(found, "note", where),
    )
    _check_complete(case, where)
    return case


def case_document(case: Case) -> dict[str, Any]:
    """Return a case as a document, which `parse_case` turns back into the case; empty values are left out."""
    steps = [{"say": step.say, **({"expect": dict(step.expect)} if step.expect else {})} for step in case.steps]
    is_question = len(steps) == 1 and "expect" not in steps[0]
    written = {
        "id": case.key,
        "ask": case.steps[0].say if is_question else "",
        "steps": [] if is_question else steps,
        "history": [{speaker: text} for speaker, text in case.history],
        "simulate": simulated(case.simulate),
        "plant": planted(case.plant),
        "orders": list(case.orders),
        "given": recorded_answer_document(case.given),
        "customer": case.customer,
        "locale": case.locale,
        "must": case.is_must,
        "repeat": case.repeat if case.repeat > 1 else 0,
        "tags": list(case.tags),
        "expect": dict(case.expect),
        "note": case.note,
    }
    return {name: value for name, value in written.items() if value}


def suite_document(suite: Suite) -> dict[str, Any]:
    head = {"suite": suite.name, "title": suite.title, "about": suite.about}
    return {name: value for name, value in head.items() if value} | {"cases": [*map(case_document, suite.cases)]}


def _steps(found: Mapping[str, Any], where: str) -> Iterator[Step]:
    if "ask" in found and "steps" in found:
        raise InvalidSuite(placed(where, gettext("a case must have either `ask` or `steps`, not both.")))
    if "ask" in found:
        yield Step(text_of(found, "ask", where, needed=True))
    rows = found.get("steps", [])
    if not isinstance(rows, list) or len(rows) > MAX_STEPS:
        raise InvalidSuite(
            placed(where, gettext("`steps` must be a list of at most {most} messages.").format(most=MAX_STEPS))
        )
    for place, row in enumerate(rows, 1):
        here = placed(where, gettext("step {number}").format(number=place))
        step = {"say": row} if isinstance(row, str) else mapping_of(row, here)
        only(step, STEP_KEYS, here)
        yield Step(text_of(step, "say", here, needed=True), _expectations(step.get("expect", {}), here))


def _history(rows: Any, where: str) -> Iterator[tuple[str, str]]:
    if not isinstance(rows, list) or len(rows) > MAX_HISTORY:
        raise InvalidSuite(
            placed(where, gettext("`history` must be a list of `customer: …` and `assistant: …` messages."))
        )
    for row in rows:
        match row:
            case dict() if len(row) == 1 and (speaker := next(iter(row))) in _SPEAKERS:
                yield speaker, text_of(row, speaker, where, needed=True)
            case _:
                raise InvalidSuite(
                    placed(where, gettext("`history` must be a list of `customer: …` and `assistant: …` messages."))
                )


def _expectations(value: Any, where: str) -> Expectations:
    here = placed(where, "expect")
    found = mapping_of(value, here)
    for name in found:
        if not is_expectation(name):
            raise InvalidSuite(placed(here, unknown_key(name, EXPECTATIONS)))
    return {name: checked_value(name, one, where=placed(here, name)) for name, one in found.items()}


def _check_complete(case: Case, where: str) -> None:
    if bool(case.steps) == bool(case.simulate):
        raise InvalidSuite(
            placed(where, gettext("the case has no customer message. Add `ask`, `steps` or `simulate`."))
        )
    if not case.expect and not any(step.expect for step in case.steps):
        raise InvalidSuite(placed(where, gettext("the case has no expectation. Add `expect` with at least one.")))
    if case.given and (len(case.steps) != 1 or case.plant or case.customer):
        problem = gettext("a case with `given` must have one message, and must not have `plant` or `customer`.")
        raise InvalidSuite(placed(where, problem))
    if case.expects("requests") and (list(case.expect) != ["requests"] or not _is_bare(case)):
        problem = gettext("a case with `requests` must have only customer messages, and no other expectation.")
        raise InvalidSuite(placed(where, problem))
    if case.orders and (case.needs_merchant or not case.customer):
        problem = gettext("a case with `orders` must have `customer`, and must not have `confirms` or `records`.")
        raise InvalidSuite(placed(where, problem))
    if any("judge" in step.expect for step in case.steps):
        raise InvalidSuite(placed(where, gettext("`judge` belongs to the whole case, not to a step.")))
    if any("records" in step.expect for step in case.steps):
        raise InvalidSuite(placed(where, gettext("`records` belongs to the whole case, not to a step.")))


def _is_bare(case: Case) -> bool:
    """Return whether a case consists of a visitor's messages only."""
    has_more = case.simulate or case.plant or case.given or case.customer or case.orders or case.history
    return not has_more and not any(step.expect for step in case.steps)


def _check_keys(cases: Sequence[Case], file: str) -> None:
    seen: set[str] = set()
    for case in cases:
        if case.key in seen:
            raise InvalidSuite(placed(file, gettext("two cases are called `{key}`.").format(key=case.key)))
        seen.add(case.key)
