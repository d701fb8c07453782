"""A simulated customer as described in a suite. Pure.

`by` is "model" (the model for the purpose `judge`) or "script", which is deterministic. `patience` is the customer's
maximum number of messages, and `most_cost` the maximum cost of the whole conversation. With `confirms`, the customer
confirms or declines cards, and a simulated merchant carries out confirmed actions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from django.utils.translation import gettext

from supportbot.evals.errors import InvalidSuite
from supportbot.evals.suite_formats.document_values import flag_of, mapping_of, number_of, only, placed, text_of
from supportbot.evals.suite_formats.expectations import amount_of

SIMULATE_KEYS: Final = frozenset({"goal", "persona", "knows", "patience", "by", "insists", "most_cost", "confirms"})
MAX_PATIENCE: Final = 20
MAX_FACTS: Final = 30
By = Literal["model", "script"]


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulated customer. `facts` contains what the customer knows, by name; `knows` says it in prose, which only a
    model can use. A script opens with the goal, states a fact when an answer contains its name, and otherwise says
    `insists` once.
    """

    goal: str
    persona: str = ""
    knows: str = ""
    facts: Mapping[str, str] = field(default_factory=dict, hash=False)
    patience: int = 6
    by: By = "model"
    insists: str = ""
    most_cost: float = 0.0  # 0 means no separate limit
    confirms: bool = False


def simulation_of(value: Any, where: str) -> Simulation:
    """Return the simulated customer of a case. Raises InvalidSuite."""
    here = placed(where, "simulate")
    found = mapping_of(value, here)
    only(found, SIMULATE_KEYS, here)
    by = found.get("by", "model")
    if by not in ("model", "script"):
        raise InvalidSuite(placed(here, gettext("`by` must be `model` or `script`.")))
    is_prose = not isinstance(found.get("knows"), Mapping)
    if by == "script" and is_prose and "knows" in found:
        raise InvalidSuite(placed(here, gettext("a script needs `knows`, a mapping of names to values.")))
    return Simulation(
        goal=text_of(found, "goal", here, needed=True),
        persona=text_of(found, "persona", here),
        knows=text_of(found, "knows", here) if is_prose else "",
        facts={} if is_prose else _facts(found["knows"], placed(here, "knows")),
        patience=number_of(found, "patience", here, most=MAX_PATIENCE, default=6),
        by="script" if by == "script" else "model",
        insists=text_of(found, "insists", here),
        most_cost=_cost(found, here),
        confirms=flag_of(found, "confirms", here),
    )


def simulated(one: Simulation | None) -> dict[str, Any]:
    """Return a simulated customer in the format of a document; empty values are left out."""
    if one is None:
        return {}
    written = {
        "goal": one.goal,
        "persona": one.persona,
        "knows": dict(one.facts) or one.knows,
        "patience": one.patience,
        "by": one.by if one.by == "script" else "",
        "insists": one.insists,
        "most_cost": one.most_cost,
        "confirms": one.confirms,
    }
    return {name: value for name, value in written.items() if value}


def _facts(found: Mapping[str, Any], where: str) -> dict[str, str]:
    if not found or len(found) > MAX_FACTS:
        raise InvalidSuite(
            placed(where, gettext("use a mapping of 1 to {most} names to values.").format(most=MAX_FACTS))
        )
    return {str(name): text_of(found, name, where, needed=True) for name in found}


def _cost(found: Mapping[str, Any], where: str) -> float:
    try:
        return amount_of(found["most_cost"]) if "most_cost" in found else 0.0
    except ValueError as error:
        raise InvalidSuite(placed(where, "most_cost", str(error))) from error
