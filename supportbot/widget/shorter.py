"""Shorter names for the variables of a script, so that readable sources cost a shop's page no more than terse ones.

A script is taken in regions: the statements of its top level, the members of the classes there. A name that every
region using it declares itself is local there, and gets a short name in each. Any other name is replaced alike
everywhere. No two names become one, so in whatever scope a name was found, it still is. Names that the script does not
declare are the browser's and stay. So do properties and keys, but for flags (`isOver`, `hasCard`): by our style those
are ours, where the browser has none of the same form. The sources keep to what this reads: no labels, no templates
inside templates, no defaults that name anything of the browser's, no empty statements, and a semicolon after every
statement that is not a block.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, pairwise, product
from typing import Final

_TOKENS: Final = re.compile(
    r"""(?P<text> "(?:\\.|[^"\\])*"
    | (?: (?<=[(\[!,=:&|?>;]) | (?<=[(\[!,=:&|?>;][ ]) | (?<=return[ ]) )
      /(?![/*]) (?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\[\n])+ / )
    | (?P<template> `[^`]*` ) | (?P<word> [#]?[A-Za-z_$][\w$]* ) | (?P<number> \d[\w.]* )
    | (?P<sign> \?\.(?!\d) | \.\.\. | => | \S ) | (?P<blank> \s+ )""",
    re.VERBOSE,
)
_NEEDLESS_IN_NUMBERS: Final = re.compile(r"_|^0(?=\.)")
_GAP: Final = re.compile(r"\$\{([^}]*)\}")
_KEYWORDS: Final = frozenset(
    re.findall(
        r"\w+",
        "async await catch class const constructor continue delete do else export extends false finally for from "
        "function get if import in instanceof let new null of return set static super this throw true try typeof "
        "undefined var void while",
    )
)
# After these a brace opens an object or a pattern; after all else, a block.
_BEFORE_OBJECTS: Final = frozenset(
    ["=", "(", ",", "[", ":", "?", "return", "throw", "...", "const", "let", "&", "|", "of"]
)
_GO_ON: Final = frozenset(["", "{", "}", "(", "[", ",", ";", ":", "?", "&", "|", "=", "=>"])
# Shorter words for the same. To who never assigns, which the sources themselves are held to, `let` is `const`.
_SAME: Final = {"const": "let", "true": "!0", "false": "!1"}
_FLAG: Final = re.compile(r"(?:is|has)[A-Z]\w*")
_BROWSERS_FLAGS: Final = frozenset(["hasAttribute", "isComposing", "isConnected"])
_BEFORE_MEMBERS: Final = frozenset(["{", "}", ";", "get", "set", "static", "async"])


# The commonest letters of our texts and words first: what packs the script has met them, and writes them in fewer bits.
_LETTERS: Final = "etnrisoalcdupmhgfbvkywxjqzETNRISOALCDUPMHGFBVKYWXJQZ"
# So many letters are for the regions alone, which need short names most.
LOCAL_LETTERS: Final = 22


@dataclass(slots=True)
class _Token:
    kind: str
    text: str
    is_variable: bool = False
    is_key_too: bool = False
    is_declared: bool = False
    is_needless: bool = False
    region: int = 0
    is_top: bool = False
    name: str = ""
    key: str = ""


def flags_of(script: str) -> frozenset[str]:
    """Return the names that look like a flag of ours: what two scripts both have, neither may rename."""
    return frozenset(_FLAG.findall(script))


def shorter(script: str, *, shared: frozenset[str] = frozenset()) -> str:
    """Return the script without needless signs, its variables and flags under short names, `shared` flags excepted."""
    tokens = list(_tokens(script))
    significant = [token for token in tokens if token.kind != "blank"]
    _tell_words_apart(significant)
    _find_declared(significant)
    _put_numbers_in_place(significant)
    _find_needless(significant)
    variables = [token for token in significant if token.is_variable]
    _rename(variables, kept={token.text for token in significant if token.kind == "word"} - _renamable(significant))
    _rename_members([token for token in significant if token.text[0] == "#" and token.kind == "word"])
    _rename_flags([token for token in significant if token.kind == "word"], shared | _BROWSERS_FLAGS)
    return "".join(_written(tokens))


def _rename_members(private: Sequence[_Token]) -> None:
    """Give private members their new names; only the script can see them at all."""
    fresh = _names(set())
    names = {name: f"#{next(fresh)}" for name, _ in Counter(token.text for token in private).most_common()}
    for token in private:
        token.name = names[token.text]


def _rename_flags(words: Sequence[_Token], kept: frozenset[str]) -> None:
    """Give properties and keys that are flags of ours names that nothing in the script has."""
    flags = [token for token in words if _FLAG.fullmatch(token.text) and token.text not in kept]
    fresh = _names({token.text for token in words} | {token.name for token in words})
    names = {name: next(fresh) for name, _ in Counter(token.text for token in flags).most_common()}
    for token in flags:
        if token.is_key_too:
            token.key = names[token.text]
        elif not token.is_variable:
            token.name = names[token.text]


def _renamable(tokens: Sequence[_Token]) -> set[str]:
    exported = {token.text for token, ahead in zip(tokens[2:], tokens, strict=False) if ahead.text == "export"}
    return {token.text for token in tokens if token.is_declared} - exported


def _rename(variables: Sequence[_Token], kept: set[str]) -> None:
    """Give each variable its new name; `kept` are words that stay, and that no name may become."""
    declared = {(token.text, token.region) for token in variables if token.is_declared}
    shared = {token.text for token in variables if token.is_top or (token.text, token.region) not in declared} - kept
    everywhere = Counter(token.text for token in variables if token.text in shared)
    fresh = _names(kept | set(_LETTERS[:LOCAL_LETTERS]))
    taken = {name: next(fresh) for name, _ in everywhere.most_common()}
    by_region: dict[int, dict[str, None]] = defaultdict(dict)
    for token in variables:
        if token.text not in shared and token.text not in kept:
            by_region[token.region][token.text] = None
    local = {region: _local(names, kept | set(taken.values())) for region, names in by_region.items()}
    for token in variables:
        token.name = taken.get(token.text) or local.get(token.region, {}).get(token.text, token.text)


def _local(names: Iterable[str], taken: set[str]) -> dict[str, str]:
    """Name a region's variables in the order in which it has them, so that like functions come to read alike."""
    fresh = _names(taken)
    return {name: next(fresh) for name in names}


def _tokens(script: str) -> Iterator[_Token]:
    for found in _TOKENS.finditer(script):
        if found.lastgroup != "template":
            yield _Token(found.lastgroup or "", found[0])
            continue
        end = 0
        for gap in _GAP.finditer(found[0]):
            yield _Token("text", found[0][end : gap.start(1)])
            yield from _tokens(gap[1])
            end = gap.end(1)
        yield _Token("text", found[0][end:])


def _tell_words_apart(tokens: Sequence[_Token]) -> None:
    """Note which words are variables, and which of those are an object's keys as well."""
    open_brackets = ["block"]
    is_class_ahead = False
    region = 0
    for place, token in enumerate(tokens):
        before = tokens[place - 1].text if place else ""
        after = tokens[place + 1].text if place + 1 < len(tokens) else ""
        token.region = region
        token.is_top = len(open_brackets) == 1
        if token.kind == "word":
            is_class_ahead = is_class_ahead or token.text == "class"
            is_member = open_brackets[-1] == "class" and before in _BEFORE_MEMBERS
            is_key = open_brackets[-1] == "object" and before in ("{", ",", "get", "async")
            is_name = before in (".", "?.") or token.text[0] == "#" or token.text in _KEYWORDS or is_member
            token.is_key_too = is_key and not is_name and after in (",", "}", "=")
            token.is_variable = not is_name and (not is_key or token.is_key_too)
        elif token.text in ("(", "["):
            open_brackets.append(token.text)
        elif token.text == "{":
            kind = "class" if is_class_ahead else "object" if before in _BEFORE_OBJECTS else "block"
            open_brackets.append(kind)
            is_class_ahead = False
        elif token.text in (")", "]", "}"):
            open_brackets.pop()
        if token.text in (";", "}") and open_brackets in (["block"], ["block", "class"]):
            region += 1


def _find_declared(tokens: Sequence[_Token]) -> None:
    for place, token in enumerate(tokens):
        before = tokens[place - 1].text if place else ""
        after = tokens[place + 1].text if place + 1 < len(tokens) else ""
        if token.kind == "word":
            token.is_declared |= token.is_variable and (
                before in ("const", "let", "function", "class") or after == "=>"
            )
        elif (token.text in ("{", "[") and before in ("const", "let")) or (
            token.text == "(" and _are_parameters(tokens, place)
        ):
            for inner in tokens[place : _closing(tokens, place)]:
                inner.is_declared |= inner.is_variable


def _put_numbers_in_place(tokens: Sequence[_Token]) -> None:
    """Write a number that the top level gives a name, in capitals, where that name is used."""
    numbers: dict[str, str] = {}
    for start in (place for place, token in enumerate(tokens) if token.is_top and token.text == "const"):
        statement = tokens[start : start + 5]
        _, name, sign, value, end = statement
        if name.text.isupper() and (sign.text, value.kind, end.text) == ("=", "number", ";"):
            numbers[name.text] = value.text
            for token in statement:
                token.is_needless = True
    for token in tokens:
        if token.is_variable and token.text in numbers:
            token.kind, token.text, token.is_variable = "number", numbers[token.text], False


def _find_needless(tokens: Sequence[_Token]) -> None:
    """Note the brackets around an arrow's only parameter, and commas before a closing bracket."""
    for before, token, inner, closing, arrow in zip(*(tokens[ahead:] for ahead in range(5)), strict=False):
        if (token.text, inner.kind, closing.text, arrow.text) == ("(", "word", ")", "=>") and before.kind == "sign":
            token.is_needless = closing.is_needless = True
    for token, after in pairwise(tokens):
        token.is_needless |= token.text == "," and after.text in (")", "]", "}")


def _are_parameters(tokens: Sequence[_Token], place: int) -> bool:
    before, after = tokens[place - 1], tokens[_closing(tokens, place) + 1 :][:1]
    if not after:
        return False
    is_named = before.kind == "word" and before.text not in ("if", "for", "while")
    return after[0].text == "=>" or (after[0].text == "{" and is_named)


def _closing(tokens: Sequence[_Token], place: int) -> int:
    depth = 0
    for at in range(place, len(tokens)):
        if tokens[at].kind == "sign":
            depth += (tokens[at].text in "([{") - (tokens[at].text in ")]}")
            if depth == 0:
                return at
    raise ValueError(f"A bracket of the script is never closed: {tokens[place + 1].text}")


def _names(taken: set[str]) -> Iterator[str]:
    """Return names that are free, the shortest first."""
    for length in count(1):
        for letters in product(_LETTERS, repeat=length):
            name = "".join(letters)
            if name not in taken and name not in _KEYWORDS:
                yield name


def _written(tokens: Sequence[_Token]) -> Iterator[str]:
    before = ""
    for place, token in enumerate(tokens):
        after = tokens[place + 1].text if place + 1 < len(tokens) else ""
        if token.kind == "blank":
            yield _blank(token.text, before, after)
            continue
        if token.is_needless:
            before = token.text if token.kind == "sign" else before
            continue
        if token.text in _SAME:
            yield _SAME[token.text]
        elif token.kind == "number":
            yield _NEEDLESS_IN_NUMBERS.sub("", token.text)
        elif token.is_key_too and token.name != (token.key or token.text):
            yield f"{token.key or token.text}:{token.name}"
        elif token.text != ";" or _next_sign(tokens, place) != "}":
            yield token.name or token.text
        before = token.text


def _next_sign(tokens: Sequence[_Token], place: int) -> str:
    ahead = tokens[place + 1 : place + 3]
    return next((token.text for token in ahead if token.kind != "blank"), "")


def _blank(blank: str, before: str, after: str) -> str:
    """Return what a blank must remain: the end of a line may stand for a semicolon, words must stay two."""
    if "\n" in blank:
        return "" if before in _GO_ON else "\n"
    return " " if _is_wordy(before[-1:]) and _is_wordy(after[:1]) else ""


def _is_wordy(sign: str) -> bool:
    return sign.isalnum() or sign in ("_", "$", "#")
