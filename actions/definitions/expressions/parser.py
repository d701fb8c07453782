"""Turning the text of an expression into a tree. The grammar is in docs/definitions.md.

Nothing is evaluated here. The depth of a tree is limited, so neither parsing nor evaluation can exhaust the stack.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Final, NoReturn

from django.utils.translation import gettext_noop

from actions.deferred_text import DeferredText
from actions.definitions.errors import ExpressionError

MAX_CHARACTERS: Final = 4_000
MAX_DEPTH: Final = 20
MAX_DIGITS: Final = 30  # digits of a number in an expression
KEYWORDS: Final = frozenset({"and", "or", "not", "in", "if", "else", "true", "false", "null"})


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the tree. `start` and `end` are its position in the text, so that an error can point to it."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Literal(Node):
    value: Decimal | str | bool | None


@dataclass(frozen=True, slots=True)
class Name(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Path(Node):
    """Successive fields and elements: `of.key[key]`. `ends` are the positions where their texts end."""

    of: Node
    keys: tuple[Node, ...]
    ends: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ListOf(Node):
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Chain(Node):
    """Operators of one precedence, from left to right."""

    first: Node
    rest: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Compare(Node):
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Logical(Node):
    operator: str  # and, or
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not(Node):
    operand: Node


@dataclass(frozen=True, slots=True)
class Negative(Node):
    operand: Node


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class CallOf(Node):
    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ListFunction(Node):
    """A function over a list: `body` is evaluated with `name` bound to each element and `position` to its index."""

    function: str
    over: Node
    name: str
    position: str
    body: Node


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # number, text, name, sign, end
    text: str
    start: int
    end: int


# Functions that bind a name; the others take values only. How many arguments each takes is checked while parsing.
EACH: Final = frozenset({"sum", "count", "all", "any", "filter", "map", "first"})
ARITY: Final[dict[str, tuple[int, int]]] = {
    "sum": (1, 1), "count": (1, 1), "distinct": (1, 1), "min": (1, 9), "max": (1, 9), "len": (1, 1), "lower": (1, 1),
    "round": (1, 2), "abs": (1, 1), "days_between": (2, 2), "years_between": (2, 2), "date": (1, 1), "time": (1, 2),
    "days": (1, 1), "hours": (1, 1), "has": (1, 1), "money": (2, 2), "number": (1, 1), "text": (1, 1), "keys": (1, 1),
    "values": (1, 1), "calculate": (1, 1),
}  # fmt: skip
FUNCTIONS: Final = EACH | ARITY.keys()

_TOKENS: Final = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<number>[0-9]+(?:\.[0-9]+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<sign>==|!=|<=|>=|[-+*/<>()\[\].,])""",
    re.VERBOSE | re.ASCII,
)
_NOT_OURS: Final = {
    "=": gettext_noop("Write == to compare."),
    "&": gettext_noop("Write “and” instead of &."),
    "|": gettext_noop("Write “or” instead of |."),
    "!": gettext_noop("Write “not” instead of !, or != to compare."),
    '"': gettext_noop("This text has no closing quotation mark."),
    "'": gettext_noop("This text has no closing quotation mark."),
    "%": gettext_noop("There is no % operator; divide by 100 instead."),
}


def children_of(node: Node) -> Iterator[Node]:
    """Yield the nodes directly below a node."""
    for part in fields(node):
        value = getattr(node, part.name)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            parts = (item[1] if isinstance(item, tuple) else item for item in value)
            yield from (part for part in parts if isinstance(part, Node))


def nodes_of(node: Node) -> Iterator[Node]:
    """Yield a node and all nodes below it."""
    yield node
    for child in children_of(node):
        yield from nodes_of(child)


def parse(text: str) -> Node:
    """Return the tree of an expression; raises ExpressionError with the position of the first mistake."""
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(
            gettext_noop("An expression can have at most {most} characters."), MAX_CHARACTERS, most=MAX_CHARACTERS
        )
    parser = _Parser(_tokens(text))
    tree = parser.expression()
    parser.expect_end()
    return tree


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        match = _TOKENS.match(text, at)
        if match is None:
            if why := _NOT_OURS.get(text[at]):
                raise ExpressionError(why, at)
            shown = repr(text[at])[1:-1]
            raise ExpressionError(gettext_noop("“{character}” is not allowed here."), at, character=shown)
        if match.lastgroup != "space":
            tokens.append(_Token(match.lastgroup or "", match[0], at, match.end()))
        at = match.end()
    return [*tokens, _Token("end", "", len(text), len(text))]


class _Parser:
    """One method for each line of the grammar, top to bottom."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def expression(self) -> Node:
        self._deeper()
        value = self._disjunction()
        if self._takes("if"):
            condition = self._disjunction()
            if not self._takes("else"):
                self._fail(gettext_noop("Add the other value: a if condition else b."))
            otherwise = self.expression()
            value = Conditional(value.start, otherwise.end, condition, value, otherwise)
        self._depth -= 1
        return value

    def expect_end(self) -> None:
        if self._token.kind != "end":
            self._fail(gettext_noop("The expression should end here. Is an operator or a bracket missing?"))

    def _disjunction(self) -> Node:
        return self._logical("or", self._conjunction)

    def _conjunction(self) -> Node:
        return self._logical("and", self._negation)

    def _logical(self, operator: str, operand: Callable[[], Node]) -> Node:
        operands = [operand()]
        while self._takes(operator):
            operands.append(operand())
        if len(operands) == 1:
            return operands[0]
        return Logical(operands[0].start, operands[-1].end, operator, tuple(operands))

    def _negation(self) -> Node:
        start = self._token.start
        if not self._takes("not"):
            return self._comparison()
        self._deeper()
        operand = self._negation()
        self._depth -= 1
        return Not(start, operand.end, operand)

    def _comparison(self) -> Node:
        left = self._sum()
        operator = self._comparator()
        if not operator:
            return left
        right = self._sum()
        if self._comparator():
            self._at -= 1
            self._fail(gettext_noop("Compare two values at a time: a < b and b < c."))
        return Compare(left.start, right.end, operator, left, right)

    def _comparator(self) -> str:
        for sign in ("==", "!=", "<=", ">=", "<", ">", "in"):
            if self._takes(sign):
                return sign
        following = self._tokens[min(self._at + 1, len(self._tokens) - 1)]
        if self._is("not") and following.text == "in" and following.kind == "name":
            self._at += 2
            return "not in"
        return ""

    def _sum(self) -> Node:
        return self._chain(("+", "-"), self._product)

    def _product(self) -> Node:
        return self._chain(("*", "/"), self._negative)

    def _chain(self, operators: tuple[str, ...], operand: Callable[[], Node]) -> Node:
        first = operand()
        rest: list[tuple[str, Node]] = []
        while self._token.kind == "sign" and self._token.text in operators:
            operator = self._next().text
            rest.append((operator, operand()))
        return Chain(first.start, rest[-1][1].end, first, tuple(rest)) if rest else first

    def _negative(self) -> Node:
        start = self._token.start
        if not self._takes("-"):
            return self._path()
        self._deeper()
        operand = self._negative()
        self._depth -= 1
        return Negative(start, operand.end, operand)

    def _path(self) -> Node:
        of = self._primary()
        keys: list[Node] = []
        ends: list[int] = []
        while self._is(".") or self._is("["):
            if len(keys) == MAX_DEPTH:
                self._fail(DeferredText(gettext_noop("A path can have at most {most} parts."), most=MAX_DEPTH))
            keys.append(self._key())
            ends.append(self._tokens[self._at - 1].end)
        return Path(of.start, ends[-1], of, tuple(keys), tuple(ends)) if keys else of

    def _key(self) -> Node:
        if self._next().text == "[":
            key = self.expression()
            self._close("]")
            return key
        token = self._next()
        if token.kind != "name":
            self._fail(gettext_noop('Write a field\'s name after the dot, or body["odd name"].'), token)
        return Literal(token.start, token.end, token.text)

    def _primary(self) -> Node:
        token = self._next()
        match token.kind:
            case "number":
                if len(token.text) > MAX_DIGITS:
                    why = DeferredText(gettext_noop("A number can have at most {most} digits."), most=MAX_DIGITS)
                    self._fail(why, token)
                return Literal(token.start, token.end, Decimal(token.text))
            case "text":
                return Literal(token.start, token.end, self._text(token))
            case "name":
                return self._named(token)
            case "sign" if token.text == "(":
                inner = self.expression()
                return replace(inner, start=token.start, end=self._close(")").end)
            case "sign" if token.text == "[":
                items = self._arguments("]")
                return ListOf(token.start, self._tokens[self._at - 1].end, items)
            case _:
                return self._fail(gettext_noop("A value is missing here."), token)

    def _named(self, token: _Token) -> Node:
        if token.text in ("true", "false", "null"):
            return Literal(token.start, token.end, {"true": True, "false": False}.get(token.text))
        if token.text in KEYWORDS:
            self._fail(gettext_noop("A value is missing here."), token)
        if self._is("("):
            return self._call(token)
        return Name(token.start, token.end, token.text)

    def _call(self, function: _Token) -> Node:
        if function.text not in FUNCTIONS:
            why = gettext_noop("There is no function {function}. Available: {names}.")
            self._fail(DeferredText(why, function=function.text, names=", ".join(sorted(FUNCTIONS))), function)
        self._next()
        arguments = self._arguments(")")
        end = self._tokens[self._at - 1].end
        if function.text == "has" and not all(_names_something(argument) for argument in arguments):
            self._fail(
                gettext_noop("Write has(…) with the path of a field, such as has(order.delivered_at)."), function
            )
        if function.text in EACH and len(arguments) in (3, 4):
            return self._each(function, arguments, end)
        fewest, most = ARITY.get(function.text, (3, 3))
        if not fewest <= len(arguments) <= most:
            self._fail(_usage(function.text), function)
        return CallOf(function.start, end, function.text, arguments)

    def _each(self, function: _Token, arguments: tuple[Node, ...], end: int) -> Node:
        over, *bound, body = arguments
        names = [node.name for node in bound if isinstance(node, Name)]
        if len(names) < len(bound) or len(set(names)) < len(names):
            self._fail(_usage(function.text), function)
        return ListFunction(function.start, end, function.text, over, names[0], (names[1:] or [""])[0], body)

    def _arguments(self, closing: str) -> tuple[Node, ...]:
        if self._takes(closing):
            return ()
        items = [self.expression()]
        while self._takes(","):
            items.append(self.expression())
        self._close(closing)
        return tuple(items)

    def _text(self, token: _Token) -> str:
        body = token.text[1:-1]
        if token.text[0] == "'":
            body = re.sub(r"\\(.)|\"", lambda match: _as_json_escape(match[0]), body)
        try:
            return str(json.loads(f'"{body}"', strict=False))
        except ValueError:
            self._fail(gettext_noop("An escape in this text is unknown. Write \\\\ for a backslash."), token)

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            why = gettext_noop("Brackets, functions and conditions can be nested at most {most} levels deep.")
            self._fail(DeferredText(why, most=MAX_DEPTH))

    def _close(self, closing: str) -> _Token:
        if not self._is(closing):
            self._fail(DeferredText(gettext_noop("A {sign} is missing here."), sign=closing))
        return self._next()

    def _is(self, text: str) -> bool:
        return self._token.text == text and self._token.kind in ("sign", "name")

    def _takes(self, text: str) -> bool:
        if self._is(text):
            self._at += 1
            return True
        return False

    @property
    def _token(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._token
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _fail(self, why: str, token: _Token | None = None) -> NoReturn:
        raise ExpressionError(why, (token or self._token).start)


def _names_something(node: Node) -> bool:
    of = node.of if isinstance(node, Path) else node
    return isinstance(of, Name) or (isinstance(of, ListFunction) and of.function == "first")


def _as_json_escape(written: str) -> str:
    return {"\\'": "'", '"': '\\"'}.get(written, written)


def _usage(function: str) -> DeferredText:
    if function in EACH and function in ARITY:
        return DeferredText(
            gettext_noop("Write {function}(list) or {function}(list, name, expression), with a name for each element."),
            function=function,
        )
    if function in EACH:
        return DeferredText(
            gettext_noop("Write {function}(list, name, expression), with a name for each element."), function=function
        )
    fewest, most = ARITY[function]
    if fewest < most:
        why = gettext_noop("Give {function} from {least} to {most} values in brackets.")
        return DeferredText(why, function=function, least=fewest, most=most)
    if most > 1:
        return DeferredText(
            gettext_noop("Give {function} {number} values in brackets."), function=function, number=most
        )
    return DeferredText(gettext_noop("Give {function} one value in brackets."), function=function)
