"""Reading a JSON document field by field, and collecting every mistake under its JSON path.

Mistakes and missing parts are collected separately: a draft may lack parts, but its parts must be valid.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final, TypeVar

from django.utils.translation import gettext, gettext_noop

from actions.definitions.errors import ExpressionError
from actions.definitions.expressions.expression import Expression, Path, compile_expression
from actions.definitions.expressions.template import Template, compile_template
from actions.definitions.expressions.type_checks import Samples
from supportbot.team_formats import number

ARGUMENTS: Final = "arguments"
LOCALE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?", re.ASCII)
CIRCULAR: Final = gettext_noop("This value depends on itself, directly or through other values.")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scope:
    """The names and arguments that an expression may read at this point in the document, the labels for the values of
    some paths (`arguments.reason`: labels by value and locale), and the names that can be read only further down.
    """

    names: frozenset[str]
    arguments: frozenset[str]
    labels: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    later: frozenset[str] = frozenset()
    samples: Samples = field(default_factory=dict)  # for paths whose type is known

    def with_names(self, *names: str) -> "Scope":
        return replace(self, names=self.names | set(names))

    def labels_of(self, expression: Expression) -> Mapping[str, Mapping[str, str]]:
        """Return the labels for an expression that only reads a labelled path, even a path inside each list entry."""
        return self.labels.get(expression.text.strip()) or self.labels.get(expression.field(), {})

    def may_come(self, name: str) -> bool:
        """Return whether an unknown name may still be defined: it is known nowhere, and does not look like a misspelt
        name.
        """
        return name not in self.names | self.later and not difflib.get_close_matches(name, self.names, n=1)

    def problem_of(self, path: Path) -> str:
        """Return why a path cannot be read here, or ""."""
        name = path[0]
        if name not in self.names:
            return _unknown(gettext("There is no {name} here."), name, self.names)
        if name == ARGUMENTS and len(path) > 1 and path[1] not in self.arguments:
            return _unknown(gettext("There is no argument {name} here."), path[1], self.arguments)
        return ""


def circular(reads: Mapping[str, Set[str]]) -> list[str]:
    """Return the names whose values cannot be computed, because each reads itself or another of these names."""
    waiting = {name: set(read) & set(reads) for name, read in reads.items()}
    while free := [name for name, read in waiting.items() if not read & set(waiting)]:
        for name in free:
            del waiting[name]
    return list(waiting)


def _unknown(text: str, name: str, names: Iterable[str]) -> str:
    """Return `text` about a name that is not among these, followed by a hint about the names that exist."""
    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        hint = gettext("Did you mean {name}?").format(name=close[0])
    elif known:
        hint = gettext("Available: {names}.").format(names=", ".join(known))
    else:
        hint = gettext("There are none.")
    return f"{text.format(name=name)} {hint}"


@dataclass(slots=True)
class Findings:
    wrong: dict[str, list[str]] = field(default_factory=dict)
    mistyped: dict[str, list[str]] = field(default_factory=dict)  # type errors; they do not stop a published version
    missing: list[str] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)  # why a part is missing, if its path does not explain it
    only_new: set[str] = field(default_factory=set)  # missing parts that only new versions need

    def add(self, at: str, message: str) -> None:
        self.wrong.setdefault(at or "document", []).append(message)

    def lacks(self, at: str, why: str = "", *, only_new: bool = False) -> None:
        if at not in self.missing:
            self.missing.append(at)
            if only_new:
                self.only_new.add(at)
        if why:
            self.why[at] = why


class ObjectReader:
    """One object of the document. Read each field by its name, then `close` it: all other fields are mistakes."""

    def __init__(self, value: Mapping[str, Any], at: str, findings: Findings) -> None:
        self._value = value
        self._known: set[str] = set()
        self.at = at
        self.findings = findings

    def path(self, name: str) -> str:
        return f"{self.at}.{name}" if self.at else name

    def has(self, name: str) -> bool:
        return self._value.get(name) is not None

    def raw(self, name: str) -> Any:
        self._known.add(name)
        return self._value.get(name)

    def add(self, name: str, message: str) -> None:
        self.findings.add(self.path(name), message)

    def lacks(self, name: str, why: str = "", *, only_new: bool = False) -> None:
        self.findings.lacks(self.path(name), why, only_new=only_new)

    def close(self) -> None:
        for name in self._value:
            if name not in self._known:
                self.add(str(name)[:60], _unknown(gettext("There is no such field."), str(name), self._known))

    def text(self, name: str, *, most: int = 200, pattern: str = "", needed: bool = False, example: str = "") -> str:
        value = self.raw(name)
        if value is None or value == "":
            if needed:
                self.lacks(name)
            return ""
        if not isinstance(value, str):
            self.add(name, gettext("Write text in quotation marks."))
        elif len(value) > most:
            self.add(name, gettext("At most {most} characters.").format(most=number(most)))
        elif not value.isprintable():
            self.add(name, gettext("Remove line breaks, control characters and invisible characters."))
        elif pattern and not re.fullmatch(pattern, value, re.ASCII):
            self.add(name, gettext("Write it like {example}.").format(example=example))
        else:
            return value
        return ""

    def list_of_texts(self, name: str, most: int, pattern: str, example: str) -> list[str]:
        """Return a list of strings."""
        value = self.raw(name)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > most:
            self.add(name, gettext("Write a list of at most {most} texts.").format(most=most))
            return []
        fits = [one for one in value if isinstance(one, str) and len(one) <= 253 and re.fullmatch(pattern, one)]
        if len(fits) < len(value):
            self.add(name, gettext("Write each like {example}.").format(example=example))
        return fits

    def one_of(self, name: str, options: Sequence[str], *, needed: bool = False, default: str = "") -> str:
        value = self.raw(name)
        if value is None:
            if needed:
                self.lacks(name)
            return default
        if value not in options:
            self.add(name, gettext("Write one of: {options}.").format(options=", ".join(options)))
            return default
        return str(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self.raw(name)
        if value is not None and not isinstance(value, bool):
            self.add(name, gettext("Write true or false, without quotation marks."))
        return value if isinstance(value, bool) else default

    def whole(self, name: str, least: int, most: int, default: int) -> int:
        value = self.raw(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            text = gettext("Write a whole number from {least} to {most}.")
            self.add(name, text.format(least=number(least), most=number(most)))
            return default
        return value

    def decimal(self, name: str, default: Decimal | None = None) -> Decimal | None:
        value = self.raw(name)
        if value is None:
            return default
        text = str(value)
        if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]{1,10}(\.[0-9]{1,6})?", text, re.ASCII):
            self.add(name, gettext('Write a number such as "12.50".'))
            return default
        return Decimal(text)

    def object(self, name: str, *, needed: bool = False) -> "ObjectReader | None":
        value = self.raw(name)
        if value is None:
            if needed:
                self.lacks(name)
            return None
        return self._reading(value, self.path(name))

    def objects(self, name: str, most: int) -> Iterator["ObjectReader"]:
        """Yield each object of a list."""
        value = self.raw(name)
        if value is not None and (not isinstance(value, list) or len(value) > most):
            self.add(name, gettext("Write a list of at most {most} objects.").format(most=most))
            return
        for place, item in enumerate(value or ()):
            reading = self._reading(item, f"{self.path(name)}[{place}]")
            if reading:
                yield reading

    def named(self, name: str, most: int, pattern: str, example: str) -> Iterator[tuple[str, "ObjectReader"]]:
        """Yield each (name, object) of an object of objects."""
        value = self.raw(name)
        if value is not None and (not isinstance(value, Mapping) or len(value) > most):
            self.add(name, gettext("Write an object with at most {most} fields.").format(most=most))
            return
        for key, item in (value or {}).items():
            at = f"{self.path(name)}.{str(key)[:60]}"
            if not re.fullmatch(pattern, str(key), re.ASCII):
                self.findings.add(at, gettext("Use a name like {example}.").format(example=example))
                continue
            reading = self._reading(item, at)
            if reading:
                yield key, reading

    def texts(self, name: str, *, most: int, locales: Sequence[str] = (), needed: bool = True) -> dict[str, str]:
        """Return texts by locale, one for each of `locales` if given."""
        return self._by_locale(name, most, locales, needed, lambda text, at: text)

    def words(
        self, name: str, scope: Scope, *, most: int = 600, locales: Sequence[str] = (), needed: bool = True
    ) -> dict[str, Template]:
        """Return templates by locale."""
        compiled = self._by_locale(name, most, locales, needed, lambda text, at: self.template(text, at, scope))
        return {locale: template for locale, template in compiled.items() if template is not None}

    def _by_locale(
        self, name: str, most: int, locales: Sequence[str], needed: bool, made: Callable[[str, str], T]
    ) -> dict[str, T]:
        value = self.raw(name)
        if value is not None and not isinstance(value, Mapping):
            self.add(name, gettext('Write the text for each language: {"en": "..."}.'))
            return {}
        result: dict[str, T] = {}
        for locale, text in (value or {}).items():
            at = f"{self.path(name)}.{str(locale)[:60]}"
            if not LOCALE.fullmatch(str(locale)):
                self.findings.add(at, gettext("Use a language code, such as en, de or pt-BR."))
            elif not isinstance(text, str):
                self.findings.add(at, gettext("Write text in quotation marks."))
            elif len(text) > most or not text.isprintable():
                self.findings.add(at, gettext("At most {most} characters on one line.").format(most=number(most)))
            elif text.strip():
                result[str(locale)] = made(text.strip(), at)
        if needed:
            self._require_locales(name, value or {}, locales)
        return result

    def _require_locales(self, name: str, given: Mapping[str, Any], locales: Sequence[str]) -> None:
        if not given:
            self.lacks(name)
        for locale in locales if given else ():
            if not given.get(locale):
                self.lacks(f"{name}.{locale}")

    def condition(self, name: str, scope: Scope, *, needed: bool = False) -> Expression | None:
        """Return a compiled expression that is true or false."""
        compiled = self._compiled(name, scope, needed=needed)
        if compiled is not None:
            self._check_types(compiled, self.path(name), scope, is_condition=True)
        return compiled

    def expression(self, name: str, scope: Scope, *, needed: bool = False, awaits: str = "") -> Expression | None:
        """Return a compiled expression. With `awaits`, an unknown name that resembles no known one counts as missing,
        not as wrong: a draft may read a record that it does not look up yet.
        """
        compiled = self._compiled(name, scope, needed=needed, awaits=awaits)
        if compiled is not None:
            self._check_types(compiled, self.path(name), scope)
        return compiled

    def _check_types(self, compiled: Expression, at: str, scope: Scope, *, is_condition: bool = False) -> None:
        try:
            compiled.check_types(scope.samples, is_condition=is_condition)
        except ExpressionError as error:
            self.findings.mistyped.setdefault(at, []).append(error.in_words())

    def _compiled(self, name: str, scope: Scope, *, needed: bool = False, awaits: str = "") -> Expression | None:
        value = self.raw(name)
        if value is None or value == "":
            if needed:
                self.lacks(name)
            return None
        if not isinstance(value, str):
            self.add(name, gettext("Write an expression in quotation marks."))
            return None
        try:
            compiled = compile_expression(value)
        except ExpressionError as error:
            self.add(name, error.in_words())
            return None
        unknown = sorted({path[0] for path in compiled.paths() if scope.may_come(path[0])}) if awaits else []
        if unknown:
            self.lacks(name, awaits.format(names=", ".join(unknown)))
        self.check(frozenset(path for path in compiled.paths() if path[0] not in unknown), self.path(name), scope)
        return compiled

    def template(self, text: str, at: str, scope: Scope) -> Template | None:
        try:
            compiled = compile_template(text)
        except ExpressionError as error:
            self.findings.add(at, error.in_words())
            return None
        self.check(compiled.paths(), at, scope)
        for one in compiled.expressions():
            self._check_types(one, at, scope)
        return compiled.with_labels({one.text: scope.labels_of(one) for one in compiled.expressions()})

    def check(self, paths: frozenset[Path], at: str, scope: Scope) -> None:
        for problem in sorted({scope.problem_of(path) for path in paths} - {""}):
            self.findings.add(at, problem)

    def _reading(self, value: Any, at: str) -> "ObjectReader | None":
        if isinstance(value, Mapping):
            return ObjectReader(value, at, self.findings)
        self.findings.add(at, gettext("Enter a JSON object: {...}."))
        return None
