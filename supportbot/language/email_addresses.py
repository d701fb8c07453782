"""E-mail addresses that customers give in a message. Pure.

An address counts only if the message contains little else or says that it is the customer's own. Otherwise, mail could
go to someone whom the customer only mentioned. The words for this are data (`data/email_addresses.json`), by language
and kind. Those of all languages count, because short messages do not show their language.
"""

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

_DATA: Final = Path(__file__).parent / "data" / "email_addresses.json"
_SEPARATORS: Final = r"\s<>()\[\],;:\""
_ADDRESS: Final = re.compile(rf"(?<![^{_SEPARATORS}])(?P<address>[^{_SEPARATORS}@]{{1,400}}@[^{_SEPARATORS}]{{1,255}})")
_SURROUNDING: Final = ".!?…/*_`'’‘“”„"
_CONTEXT_CHARACTERS: Final = 80  # the text around an address, which may say whose it is
_NEAR: Final = r"[^.!?\n@]{0,25}"  # the text between an address and the words that offer it
_MAX_BETWEEN: Final = 3  # words between "not" and the address: "not to my old …"
_MAX_OTHER_WORDS: Final = 3  # maximum number of other words, as in "It is ..., thanks."


def own_addresses_in(text: str) -> list[str]:
    """Return the addresses that the customer gives as their own, each once, even if mail cannot be delivered to
    it.
    """
    is_own = _is_mostly_address(text) or _own().search(_without_addresses(text))
    return addresses_in(text) if is_own else []


def volunteered_addresses_in(text: str) -> list[str]:
    """Return the customer's own addresses if nobody asked for one. The message must then say more clearly whose they
    are: "My daughter anna@example.com" must not lead to an e-mail.
    """
    is_volunteered = any(
        _offered().search(_before(match)) or _offered_after().match(_after(match)) for match in _ADDRESS.finditer(text)
    )
    return addresses_in(text) if is_volunteered or _is_mostly_address(text) else []


def addresses_in(text: str) -> list[str]:
    """Return everything that looks like an e-mail address, each once, except addresses that the text rules out ("not
    old@example.com").
    """
    matches = [
        match
        for match in _ADDRESS.finditer(text)
        if not _ruled_out().search(_before(match)) and not _ruled_out_after().match(_after(match))
    ]
    return list(dict.fromkeys(match["address"].strip(_SURROUNDING) for match in matches))


def _before(match: re.Match[str]) -> str:
    return match.string[max(match.start() - _CONTEXT_CHARACTERS, 0) : match.start()]


def _after(match: re.Match[str]) -> str:
    return match.string[match.end() : match.end() + _CONTEXT_CHARACTERS]


def _is_mostly_address(text: str) -> bool:
    return len(re.findall(r"\w+", _without_addresses(text))) <= _MAX_OTHER_WORDS


def _without_addresses(text: str) -> str:
    return _ADDRESS.sub(" ", text)


@cache
def _own() -> re.Pattern[str]:
    return re.compile(_any_of("own", "offered"), re.IGNORECASE)


@cache
def _offered() -> re.Pattern[str]:
    return re.compile(rf"{_any_of('offered')}{_NEAR}$", re.IGNORECASE)


@cache
def _offered_after() -> re.Pattern[str]:
    return re.compile(rf"{_NEAR}{_any_of('offered_after')}", re.IGNORECASE)


@cache
def _ruled_out() -> re.Pattern[str]:
    return re.compile(rf"{_any_of('ruled_out')}\s+(?:{_any_of('between')}\s+){{0,{_MAX_BETWEEN}}}$", re.IGNORECASE)


@cache
def _ruled_out_after() -> re.Pattern[str]:
    return re.compile(rf"\s+{_any_of('ruled_out_after')}", re.IGNORECASE)


def _any_of(*kinds: str) -> str:
    """Return a pattern for the entries of some kinds in all languages."""
    patterns = sorted({_pattern(entry) for entry in _entries(kinds)}, key=len, reverse=True)
    return rf"(?<!\w)(?:{'|'.join(patterns)})(?!\w)"


def _entries(kinds: Iterable[str]) -> Iterator[str]:
    listed: dict[str, dict[str, list[str]]] = json.loads(_DATA.read_text(encoding="utf-8"))
    return (entry for words in listed.values() for kind in kinds for entry in words.get(kind, ()))


def _pattern(entry: str) -> str:
    """Return the pattern of an entry: "mein* mail|adresse*" matches a word that begins with "mein" and then one of two
    others.
    """
    words = [
        "|".join(re.escape(one).replace(r"\*", r"\w*").replace("'", "['’]") for one in word.split("|"))
        for word in entry.split()
    ]
    return r"\s+".join(f"(?:{word})" for word in words)
