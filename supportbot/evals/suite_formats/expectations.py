"""The expectations that a case may have, and their allowed values. Pure."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.utils.text import Truncator
from django.utils.translation import gettext

from actions.definitions.parsing.patterns import problem_of
from supportbot.evals.errors import InvalidSuite
from supportbot.evals.grading.requested_calls import ASKED_BY, requestable_actions
from supportbot.language.figures import all_figures_in

MAX_VALUES: Final = 30
MAX_VALUE_TEXT: Final = 2_000
MAX_SHOWN: Final = 100  # characters of a value in an error
MAX_OPEN: Final = 2  # unbounded repetitions per pattern, because `graders` searches lines of up to 500 characters


_OPEN: Final = re.compile(r"[*+]|\{\d*,\d*\}")


def is_expectation(name: object) -> bool:
    return name in EXPECTATIONS


def checked_value(name: str, value: Any, *, where: str) -> Any:
    """Return the value of an expectation in normalised form. Raises InvalidSuite."""
    try:
        return EXPECTATIONS[name](value)
    except ValueError as error:
        raise InvalidSuite(f"{where}: {error}") from error


def _texts(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    texts = [str(one) for one in listed if isinstance(one, str | int | float) and not isinstance(one, bool)]
    if not texts or len(texts) != len(listed) or len(texts) > MAX_VALUES:
        raise ValueError(gettext("use one string or a list of at most {most} strings.").format(most=MAX_VALUES))
    if any(not text.strip() or len(text) > MAX_VALUE_TEXT for text in texts):
        raise ValueError(gettext("a string is empty or too long."))
    return texts


def _one_text(value: Any) -> str:
    if isinstance(value, list | Mapping):
        raise ValueError(gettext("use a single string."))
    [text] = _texts(value)
    return text


def _patterns(value: Any) -> list[str]:
    patterns = _texts(value)
    for pattern in patterns:
        problem = problem_of(pattern)
        if problem:
            raise ValueError(problem)
        if len(_OPEN.findall(pattern)) > MAX_OPEN:
            raise ValueError(gettext("a pattern can have at most {most} * or + characters.").format(most=MAX_OPEN))
    return patterns


def _figures(value: Any) -> list[str]:
    figures = _texts(value)
    for figure in figures:
        if not all_figures_in(figure, "en"):
            raise ValueError(gettext("“{text}” contains no figure.").format(text=Truncator(figure).chars(MAX_SHOWN)))
    return figures


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(gettext("use true or false."))
    return value


def _flag_or_name(value: Any) -> bool | str:
    return value if isinstance(value, bool) else _name(value)


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 100:
        raise ValueError(gettext("use a short string."))
    return value.strip()


def _proposal(value: Any) -> bool | dict[str, Any]:
    """Return the action that must be proposed, with its expected arguments; False if no action may be proposed."""
    if value is False:
        return False
    if isinstance(value, str):
        value = {"action": value}
    match value:
        case {"action": str(action), **rest} if set(rest) <= {"arguments", "approvals"}:
            arguments = rest.get("arguments", {})
            if isinstance(arguments, Mapping):
                approvals = {"approvals": _people(rest["approvals"])} if "approvals" in rest else {}
                return {"action": _name(action), "arguments": dict(arguments), **approvals}
    raise ValueError(gettext("use false, or `action` and its `arguments`."))


def _requests(value: Any) -> list[dict[str, Any]] | dict[str, str]:
    """Return the calls that a conversation must lead to ([] for no calls), or what the answerer must ask for."""
    match value:
        case {"asks": str(asks), **rest} if asks in ASKED_BY and not rest:
            return {"asks": asks}
        case list() if len(value) <= MAX_VALUES and all(map(_is_call, value)):
            return [{"action": _requested(one["action"]), "arguments": dict(one.get("arguments", {}))} for one in value]
    problem = gettext("use a list of actions with their `arguments`, or `asks` with one of {choices}.")
    raise ValueError(problem.format(choices=", ".join(ASKED_BY)))


def _requested(value: Any) -> str:
    name, known = _name(value), requestable_actions()
    if name not in known:
        problem = gettext("there is no action `{name}`. Use one of {choices}.")
        raise ValueError(problem.format(name=name, choices=", ".join(known)))
    return name


def _is_call(value: Any) -> bool:
    is_call = isinstance(value, Mapping) and "action" in value and set(value) <= {"action", "arguments"}
    return is_call and isinstance(value.get("arguments", {}), Mapping)


def _people(value: Any) -> int:
    if isinstance(value, bool) or value not in (0, 1, 2):
        raise ValueError(gettext("use 0, 1 or 2 approvals."))
    return int(value)


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ValueError(gettext("use a number above 0 and up to 1."))
    return float(value)


def amount_of(value: Any) -> float:
    """Return a number above 0. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(gettext("use a number above 0."))
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal(0)
    if not amount.is_finite() or amount <= 0:
        raise ValueError(gettext("use a number above 0."))
    return float(amount)


def _states(value: Any) -> list[dict[str, Any]]:
    """Return the allowed final states of the merchant's changed records; each state contains records by kind and
    key.
    """
    listed = value if isinstance(value, list) else [value]
    if not listed or len(listed) > MAX_VALUES or not all(map(_is_state, listed)):
        raise ValueError(
            gettext("map each kind of record to its changed records by key, or use a list of such mappings.")
        )
    return [dict(state) for state in listed]


def _is_state(value: Any) -> bool:
    if not isinstance(value, Mapping) or not all(isinstance(kind, Mapping) for kind in value.values()):
        return False
    return all(isinstance(record, Mapping) for kind in value.values() for record in kind.values())


def _rubric(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_VALUE_TEXT:
        raise ValueError(gettext("describe a good answer in words."))
    return value.strip()


EXPECTATIONS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "contains": _texts,
    "contains_any": _texts,
    "mentions": _texts,
    "not_contains": _texts,
    "equals": _one_text,
    "not_equals": _texts,
    "starts_with": _one_text,
    "not_starts_with": _texts,
    "pattern": _patterns,
    "not_pattern": _patterns,
    "figures": _figures,
    "not_figures": _figures,
    "source": _texts,
    "finds": _texts,
    "hit5": _texts,
    "quotes": _texts,
    "cites": _flag,
    "says": _texts,
    "never_says": _texts,
    "abstains": _flag,
    "hands_over": _flag,
    "proposes": _proposal,
    "looks_up": _flag_or_name,
    "refuses": _flag_or_name,
    "records": _states,
    "language": _name,
    "detects": _flag_or_name,
    "requests": _requests,
    "answerable": _flag,
    "touched": _flag,
    "support": _share,
    "seconds": amount_of,
    "cost": amount_of,
    "judge": _rubric,
}
