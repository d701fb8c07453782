"""Texts with `{expressions}` in them, written into addresses, headers and sentences; `bodies.py` writes them into JSON.

Each kind of text has its own rules, so that a value stays a value: it never adds a segment, a query or a step upwards
to a path, a line to a header, structure to JSON, or an invisible character to a sentence. A value that breaks a rule is
refused, not repaired: a repaired value would mean something else.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import accumulate
from typing import Any, Final
from urllib.parse import quote, urlencode

from django.utils.translation import gettext_noop

from actions.argument_json import INVISIBLE_CATEGORIES
from actions.definitions.errors import ExpressionError, ExpressionFailed
from actions.definitions.expressions.evaluation import MAX_STEPS
from actions.definitions.expressions.expression import Expression, Path, compile_expression
from actions.definitions.expressions.values import NoValue, Spend, as_json, as_text, value_of
from actions.money import Money, format_money
from supportbot.formats import format_day, format_moment
from supportbot.language.normalise import visible
from supportbot.translation import in_locale, text_in

Texts = Mapping[str, str]  # by locale
Labels = Mapping[str, Mapping[str, Texts]]
MAX_CHARACTERS: Final = 4_000
MAX_PATH_VALUE: Final = 500
MAX_HEADER: Final = 1_000
_MAX_LISTED: Final = 50
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
MAX_WORDS_VALUE: Final = 300
MAX_ROW_VALUE: Final = 4_000  # characters of a card's value; a card must show a whole argument
_LITERAL_PATH: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/-]*", re.ASCII)
_HEADER: Final = re.compile(r"[\x20-\x7e]*", re.ASCII)
# Shops' servers decode an address before they route it, some of them twice.
_NEVER_IN_PATH: Final = frozenset("/\\%")
OPTIONAL: Final = "?"


@dataclass(frozen=True, slots=True)
class Template:
    """Literal texts and expressions, alternating. In sentences, an expression's values are replaced by their labels."""

    text: str
    parts: tuple[str | Expression, ...]
    labels: Labels = field(default_factory=dict)  # by the text of an expression

    @property
    def expression(self) -> Expression | None:
        """Return the expression if the text consists of exactly one, otherwise None."""
        only = self.parts[0] if len(self.parts) == 1 else None
        return only if isinstance(only, Expression) else None

    def expressions(self) -> list[Expression]:
        return [part for part in self.parts if isinstance(part, Expression)]

    def with_labels(self, labels: Labels) -> "Template":
        return replace(self, labels={text: one for text, one in labels.items() if one})

    def paths(self) -> frozenset[Path]:
        """Return the paths that its expressions read."""
        return frozenset(path for part in self.expressions() for path in part.paths())

    def words(self, names: Mapping[str, Any], locale: str, most: int = MAX_WORDS_VALUE) -> str:
        """Return a sentence for people, with values of at most `most` characters. Numbers, amounts and lists are
        formatted; raises ExpressionFailed.
        """
        spend = Spend(MAX_STEPS)
        return "".join(
            part if isinstance(part, str) else _written(part, names, self._worded(part, locale, most), spend)
            for part in self.parts
        )

    def _worded(self, part: Expression, locale: str, most: int) -> Callable[[Any], str]:
        labels = self.labels.get(part.text, {})
        return lambda value: readable(labelled(value, labels, locale), locale, most)

    def header(self, names: Mapping[str, Any]) -> str:
        """Return a header's value: printable ASCII on one line, at most 1,000 characters."""
        value = "".join(self._rendered(names, as_text))
        if not _HEADER.fullmatch(value) or len(value) > MAX_HEADER or value != value.strip():
            raise ExpressionFailed(
                gettext_noop("a header must be one line of printable ASCII, at most {most} characters"),
                place=self.text,
                most=MAX_HEADER,
            )
        return value

    def plain(self, names: Mapping[str, Any], spend: Spend | None = None) -> str:
        """Return the text as it is, for callers that escape it themselves (a query, a JSON string)."""
        return "".join(self._rendered(names, _unbroken, spend))

    def _rendered(
        self, names: Mapping[str, Any], written: Callable[[Any], str], spend: Spend | None = None
    ) -> Iterator[str]:
        spend = spend or Spend(MAX_STEPS)
        for part in self.parts:
            yield part if isinstance(part, str) else _written(part, names, written, spend)


def compile_template(text: str) -> Template:
    """Return a compiled template; raises ExpressionError. `{{` and `}}` are literal braces."""
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(
            gettext_noop("A template can have at most {most} characters."), MAX_CHARACTERS, most=MAX_CHARACTERS
        )
    parts: list[str | Expression] = []
    literal, at = "", 0
    while at < len(text):
        if text[at : at + 2] in ("{{", "}}"):
            literal, at = literal + text[at], at + 2
        elif text[at] == "}":
            raise ExpressionError(gettext_noop("A } has no { before it. Write }} for a literal brace."), at)
        elif text[at] == "{":
            end = _end_of(text, at + 1)
            parts += [literal] if literal else []
            parts.append(_placed(text[at + 1 : end], at + 1))
            literal, at = "", end + 1
        else:
            literal, at = literal + text[at], at + 1
    if literal or not parts:
        parts.append(literal)
    return Template(text, tuple(parts))


def rewritten(text: str, change: Callable[[str], str]) -> str:
    """Return a template with each of its expressions changed; raises ExpressionError."""
    made, at = "", 0
    while at < len(text):
        if text[at : at + 2] in ("{{", "}}"):
            made, at = made + text[at : at + 2], at + 2
        elif text[at] == "{":
            end = _end_of(text, at + 1)
            made, at = f"{made}{{{change(text[at + 1 : end])}}}", end + 1
        else:
            made, at = made + text[at], at + 1
    return made


def _end_of(text: str, at: int) -> int:
    """Return where the expression that begins here ends; braces in its string literals do not count."""
    quoted = ""
    while at < len(text):
        sign = text[at]
        if quoted:
            at += sign == "\\"
            quoted = "" if sign == quoted else quoted
        elif sign in "\"'":
            quoted = sign
        elif sign == "}":
            return at
        elif sign == "{":
            raise ExpressionError(gettext_noop("There is a { inside an expression. Write {{ for a literal brace."), at)
        at += 1
    raise ExpressionError(gettext_noop("This { has no } after it. Write {{ for a literal brace."), at)


def _placed(text: str, start: int) -> Expression:
    try:
        return compile_expression(text)
    except ExpressionError as error:
        raise ExpressionError(error.why, start + error.position) from error


def _written(expression: Expression, names: Mapping[str, Any], written: Callable[[Any], str], spend: Spend) -> str:
    value = expression.evaluate(names, spend)
    try:
        return written(value)
    except NoValue as error:
        raise ExpressionFailed(error.why, place=expression.text) from error


def _unbroken(value: Any) -> str:
    text = as_text(value)
    if any(unicodedata.category(sign) == "Cs" for sign in text):
        raise NoValue(gettext_noop("the text contains half of a surrogate pair"))
    return text


def labelled(value: Any, labels: Mapping[str, Texts], locale: str) -> Any:
    """Return the label of a value, or of each value in a list, in this locale; values without a label are unchanged."""
    match value:
        case str() if value in labels:
            return in_locale(labels[value], locale)
        case list() | tuple() if labels:
            return [labelled(one, labels, locale) for one in value]
    return value


def readable(value: Any, locale: str, most: int = MAX_WORDS_VALUE) -> str:
    """Return a value in readable form, on one line; raises NoValue for an object. Text and each entry of a list are
    limited to `most` characters. A whole list is limited to MAX_ROW_VALUE, followed by the number of omitted entries.
    """
    match value:
        case None:
            return ""
        case bool():
            return text_in(locale, "Yes") if value else text_in(locale, "No")
        case Money():
            return format_money(value, locale)
        case datetime():
            return format_moment(value, locale)
        case date():
            return format_day(value, locale)
        case list() | tuple():
            as_json(value)  # raises NoValue for a value that is nested too deeply
            entries = _as_many_as_fit([readable(value_of(item), locale, most) for item in value[:_MAX_LISTED]])
            listed, omitted = ", ".join(entries), len(value) - len(entries)
            # A card asks for consent, so the number of omitted entries is shown.
            return f"{listed}, … (+{omitted})" if omitted else listed
    text = " ".join(visible(as_text(value)).split())
    if _DAY.fullmatch(text):
        with suppress(ValueError):
            return format_day(date.fromisoformat(text), locale)
    printed = "".join(sign for sign in text if unicodedata.category(sign) not in INVISIBLE_CATEGORIES - {"Cf"})
    return printed if len(printed) <= most else f"{printed[: most - 1]}…"


def _as_many_as_fit(entries: Sequence[str]) -> Sequence[str]:
    """Return the first entries that fit in a row together, at least one."""
    ends = accumulate(len(entry) + len(", ") for entry in entries)
    fitting = sum(end <= MAX_ROW_VALUE for end in ends)
    return entries[: max(fitting, 1)]


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """The path of a call below the connection's address; each segment may contain values."""

    text: str
    segments: tuple[tuple[str | Expression, ...], ...]

    def paths(self) -> frozenset[Path]:
        parts = (part for segment in self.segments for part in segment)
        return frozenset(path for part in parts if isinstance(part, Expression) for path in part.paths())

    def render(self, names: Mapping[str, Any]) -> str:
        """Return the percent-encoded path, which has as many segments as the template."""
        spend = Spend(MAX_STEPS)
        return "".join(f"/{self._segment(segment, names, spend)}" for segment in self.segments)

    def _segment(self, parts: tuple[str | Expression, ...], names: Mapping[str, Any], spend: Spend) -> str:
        written = "".join(part if isinstance(part, str) else _written(part, names, _in_path, spend) for part in parts)
        if not written.strip(".") and any(isinstance(part, Expression) for part in parts):
            raise ExpressionFailed(
                gettext_noop("a part of an address cannot be empty or consist only of dots"), place=self.text
            )
        return written


def _in_path(value: Any) -> str:
    text = _unbroken(value)
    if len(text) > MAX_PATH_VALUE:
        raise NoValue(gettext_noop("a value in an address can have at most {most} characters"), most=MAX_PATH_VALUE)
    # A server may treat other forms of a character as the character itself.
    folded = unicodedata.normalize("NFKC", text)
    if (
        _NEVER_IN_PATH & set(folded)
        or folded.count("..") > text.count("..")
        or any(unicodedata.category(sign) in INVISIBLE_CATEGORIES for sign in text)
    ):
        raise NoValue(
            gettext_noop("a value in an address must not contain a slash, backslash, percent sign or control character")
        )
    return quote(text, safe="")


def compile_path(text: str) -> PathTemplate:
    """Return a compiled path such as `/orders/{order.id}`; raises ExpressionError."""
    template = compile_template(text)
    segments: list[list[str | Expression]] = [[]]
    for part in template.parts:
        if isinstance(part, Expression):
            segments[-1].append(part)
            continue
        if not _LITERAL_PATH.fullmatch(part):
            raise ExpressionError(
                gettext_noop("A path can contain only letters, digits and -._~; put the query into `query`."), 0
            )
        first, *others = part.split("/")
        segments[-1] += [first] if first else []
        segments += [[other] if other else [] for other in others]
    if segments[0] or len(segments) < 2:
        raise ExpressionError(gettext_noop("A path must begin with a slash."), 0)
    if any(not segment for segment in segments[1:-1]) or any(
        len(segment) == 1 and segment[0] in (".", "..") for segment in segments
    ):
        raise ExpressionError(gettext_noop("A path must not contain an empty part, `.` or `..`."), 0)
    return PathTemplate(text, tuple(tuple(segment) for segment in segments[1:]))


@dataclass(frozen=True, slots=True)
class Fields:
    """Named values of a query or of headers. A name that ends with ? is left out if its value is null or absent."""

    templates: Mapping[str, Template]

    def paths(self) -> frozenset[Path]:
        return frozenset(path for template in self.templates.values() for path in template.paths())

    def named_paths(self) -> Iterator[tuple[str, frozenset[Path]]]:
        """Yield the name of each value and the paths that it reads."""
        return ((name.removesuffix(OPTIONAL), template.paths()) for name, template in self.templates.items())

    def query(self, names: Mapping[str, Any]) -> str:
        """Return an encoded query without the question mark; a list repeats its name."""
        pairs = [(name, text) for name, template in self._given(names) for text in _each(template, names)]
        return urlencode(pairs, quote_via=quote)

    def headers(self, names: Mapping[str, Any]) -> dict[str, str]:
        return {name: template.header(names) for name, template in self._given(names)}

    def _given(self, names: Mapping[str, Any]) -> Iterator[tuple[str, Template]]:
        for name, template in self.templates.items():
            if not name.endswith(OPTIONAL):
                yield name, template
            elif template.expression is None or template.expression.evaluate_if_present(names) is not None:
                yield name.removesuffix(OPTIONAL), template


def _each(template: Template, names: Mapping[str, Any]) -> list[str]:
    value = template.expression.evaluate(names) if template.expression else None
    if template.expression is None or not isinstance(value, list | tuple):
        return [template.plain(names)]
    try:
        return [_unbroken(value_of(item)) for item in value]
    except NoValue as error:
        raise ExpressionFailed(error.why, place=template.expression.text) from error
