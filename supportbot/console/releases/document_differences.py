"""A release's document as readable text: each field as lines that people can compare."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext, gettext_noop

from supportbot.console.releases.strictness import STRICTNESS
from supportbot.console.text_diff import Row, compare
from supportbot.releases.document import Document, Guideline
from supportbot.team_formats import labelled

ASKERS: Final = {
    "everyone": gettext_noop("Everyone"),
    "visitors": gettext_noop("Visitors only"),
    "signed_in": gettext_noop("Signed-in customers only"),
}
PURPOSES: Final = {
    "answer": gettext_noop("Answers"),
    "verify": gettext_noop("Second looks"),
    "judge": gettext_noop("Judging"),
    "summarise": gettext_noop("Summaries"),
    "rewrite": gettext_noop("Rewriting"),
    "translate": gettext_noop("Translation"),
    "draft": gettext_noop("Drafts for agents"),
}
REFERENCES: Final = {
    "knowledge": gettext_noop("articles"),
    "actions": gettext_noop("actions"),
    "policies": gettext_noop("action rules"),
    "suites": gettext_noop("gate cases"),
    "models": gettext_noop("model connections"),
    "product": gettext_noop("the product itself"),
    "live": gettext_noop("the live release"),
}
FIELDS: Final = {
    "name": gettext_noop("Name of the assistant"),
    "greetings": gettext_noop("Greetings"),
    "tone": gettext_noop("Tone"),
    "instructions": gettext_noop("Instructions"),
    "guidelines": gettext_noop("Guidelines"),
    "hand_over_when": gettext_noop("Hand over when"),
    "strictness": gettext_noop("Answers not confirmed by your articles"),
    "passages": gettext_noop("Passages per answer"),
    "rules": gettext_noop("Rules for answers"),
    "routes": gettext_noop("Models"),
    "parameters": gettext_noop("Model parameters"),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that differs, with the rows that compare both values."""

    label: str
    rows: list[Row]


def differences(before: Document, after: Document, names: Mapping[str, str]) -> list[Difference]:
    """Return the differences between two documents. `names` maps connections' ids to their names."""
    return [
        Difference(gettext(label), compare(old, new))
        for field, label in FIELDS.items()
        if (old := lines_of(before, field, names)) != (new := lines_of(after, field, names))
    ]


def lines_of(document: Document, field: str, names: Mapping[str, str]) -> str:
    """Return one field as text, with one statement per line."""
    return _WORDS.get(field, _plain)(getattr(document, field), names)


def guideline_line(one: Guideline) -> str:
    scope = [gettext(ASKERS[one.asker])] if one.asker != "everyone" else []
    scope += [", ".join(one.languages)] if one.languages else []
    scope += [gettext("priority {number}").format(number=one.priority)] if one.priority else []
    words = gettext("When {case}: {action}").format(case=one.when, action=one.do)
    return f"{words} ({'; '.join(scope)})" if scope else words


def _plain(value: Any, names: Mapping[str, str]) -> str:
    return str(value)


def _greetings(value: Mapping[str, str], names: Mapping[str, str]) -> str:
    return "\n".join(f"{locale}: {text}" for locale, text in sorted(value.items()))


def _guidelines(value: tuple[Guideline, ...], names: Mapping[str, str]) -> str:
    return "\n".join(map(guideline_line, value))


def _strictness(value: Any, names: Mapping[str, str]) -> str:
    return gettext(STRICTNESS[value].name)


def _routes(value: Mapping[str, tuple[str, ...]], names: Mapping[str, str]) -> str:
    rows = ((purpose, [names.get(one, one) for one in value[purpose]]) for purpose in PURPOSES if purpose in value)
    return "\n".join(labelled(gettext(PURPOSES[purpose]), ", ".join(route)) for purpose, route in rows)


def _parameters(value: Mapping[str, Any], names: Mapping[str, str]) -> str:
    lines = []
    for purpose in filter(value.__contains__, PURPOSES):
        one = value[purpose]
        parts = [] if one.temperature is None else [gettext("temperature {figure}").format(figure=one.temperature)]
        if one.max_output_tokens is not None:
            parts.append(gettext("at most {count} tokens").format(count=one.max_output_tokens))
        lines += [labelled(gettext(PURPOSES[purpose]), ", ".join(parts))] if parts else []
    return "\n".join(lines)


_WORDS: Final[Mapping[str, Callable[[Any, Mapping[str, str]], str]]] = {
    "greetings": _greetings,
    "guidelines": _guidelines,
    "strictness": _strictness,
    "routes": _routes,
    "parameters": _parameters,
}
