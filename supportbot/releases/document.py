"""The content of a release: the instructions, rules and settings that shape an answer. Pure.

A document is stored as JSON and never changes once its release has been live. Fields that older documents do not have
get their defaults, so new versions of the product can read all documents.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final, Literal, cast

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from supportbot.accounts.branding import validate_greetings
from supportbot.errors import FieldErrors, InvalidInput
from supportbot.language.detection import base_language

Strictness = Literal["strict", "balanced", "open"]
Asker = Literal["everyone", "visitors", "signed_in"]
STRICTNESS: Final[tuple[Strictness, ...]] = ("strict", "balanced", "open")
ASKERS: Final[tuple[Asker, ...]] = ("everyone", "visitors", "signed_in")
# The purposes for which a workspace may choose models. Embeddings are not among them, because they belong to the
# installation's index.
PURPOSES: Final = ("answer", "verify", "judge", "summarise", "rewrite", "translate", "draft")
MAX_TEXT: Final = 8_000
MAX_LINE: Final = 300
MAX_NAME: Final = 60
MAX_GUIDELINES: Final = 60
MAX_PRIORITY: Final = 9
MAX_ROUTES: Final = 5
MAX_PASSAGES: Final = 12
MAX_TOKENS: Final = 8_000
MAX_TEMPERATURE: Final = 2.0


@dataclass(frozen=True, slots=True)
class Guideline:
    """A rule for the model: in the situation `when`, `do` something. `asker` and `languages` (empty means all) limit
    the conversations it applies to. Higher priorities come first. `author` is the name of the person who wrote it.
    """

    when: str
    do: str
    priority: int = 0
    asker: Asker = "everyone"
    languages: tuple[str, ...] = ()
    author: str = ""

    def counts_for(self, *, is_signed_in: bool, language: str) -> bool:
        is_asker = self.asker == "everyone" or (self.asker == "signed_in") == is_signed_in
        return is_asker and (not self.languages or base_language(language) in map(base_language, self.languages))


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of the model for a purpose. None means the model's own temperature and the product's default
    length.
    """

    temperature: float | None = None
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """The document of a release. `rules` replaces the product's rules for answers, unless it is empty; `instructions`
    adds to them. `routes` lists the connections to use for each purpose, best first; a purpose without an entry uses
    those of the installation.
    """

    name: str = ""
    greetings: Mapping[str, str] = field(default_factory=dict)
    tone: str = ""
    rules: str = ""
    instructions: str = ""
    guidelines: tuple[Guideline, ...] = ()
    hand_over_when: str = ""
    strictness: Strictness = "balanced"
    passages: int = 6
    routes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parameters: Mapping[str, Parameters] = field(default_factory=dict)

    def guidelines_for(self, *, is_signed_in: bool, language: str) -> tuple[Guideline, ...]:
        """Return the guidelines that apply to a conversation, most important first."""
        mine = (one for one in self.guidelines if one.counts_for(is_signed_in=is_signed_in, language=language))
        return tuple(sorted(mine, key=lambda one: -one.priority))

    def parameters_for(self, purpose: str) -> Parameters:
        return self.parameters.get(purpose, Parameters())


def stored(document: Document) -> dict[str, Any]:
    """Return a document as JSON."""
    written: dict[str, Any] = json.loads(json.dumps(asdict(document)))
    return written


def digest(written: Mapping[str, Any]) -> str:
    """Return the hexadecimal SHA-256 digest of a document as JSON. It identifies the content that a verdict covers."""
    text = json.dumps(written, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def parsed(value: object) -> Document:
    """Return the document that external JSON describes. Raises InvalidInput, which names every wrong field."""
    if not isinstance(value, Mapping):
        raise InvalidInput(fields={"document": [gettext("This must be an object.")]})
    known, problems = {one.name for one in fields(Document)}, cast(FieldErrors, {})
    for name in sorted(set(map(str, value)) - known):
        problems[name] = [gettext("This field is unknown. Leave it out.")]
    read: dict[str, Any] = {}
    for name in known & set(value):
        try:
            read[name] = _READERS[name](value[name])
        except ValidationError as error:
            problems[name] = error.messages
    if problems:
        raise InvalidInput(fields=problems)
    return Document(**read)


def loaded(value: Mapping[str, Any]) -> Document:
    """Return the document in stored JSON, which is not validated."""
    guidelines = tuple(Guideline(**{**one, "languages": tuple(one["languages"])}) for one in value["guidelines"])
    routes = {purpose: tuple(names) for purpose, names in value.get("routes", {}).items()}
    parameters = {purpose: Parameters(**one) for purpose, one in value.get("parameters", {}).items()}
    known = {one.name for one in fields(Document)}
    plain = Document(**{name: one for name, one in value.items() if name in known})
    return replace(plain, guidelines=guidelines, routes=routes, parameters=parameters)


def _text(limit: int) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or "\0" in value or (not value.isprintable() and not _is_lines(value)):
            raise ValidationError(gettext("This must be text."))
        if len(value) > limit:
            raise ValidationError(gettext("Use at most {limit} characters.").format(limit=limit))
        return value.strip()

    return read


def _is_lines(value: str) -> bool:
    return all(char.isprintable() or char in "\r\n\t" for char in value)


def _whole(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValidationError(gettext("Use a whole number from {low} to {high}.").format(low=low, high=high))
        return value

    return read


def _one_of(choices: Sequence[str]) -> Callable[[object], Any]:
    def read(value: object) -> Any:
        if value not in choices:
            raise ValidationError(gettext("Choose one of {choices}.").format(choices=", ".join(choices)))
        return value

    return read


def _greetings(value: object) -> dict[str, str]:
    validate_greetings(value)
    return dict(cast(Mapping[str, str], value))


def _languages(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) and 0 < len(one) <= 12 for one in value):
        raise ValidationError(gettext("This must be a list of language codes such as en or de-AT."))
    return tuple(value)


def _guidelines(value: object) -> tuple[Guideline, ...]:
    if not isinstance(value, list | tuple) or len(value) > MAX_GUIDELINES:
        raise ValidationError(
            gettext("This must be a list of at most {limit} guidelines.").format(limit=MAX_GUIDELINES)
        )
    return tuple(map(_guideline, value))


def _guideline(value: object) -> Guideline:
    if not isinstance(value, Mapping) or not set(value) <= set(_GUIDELINE):
        raise ValidationError(gettext("A guideline must have the fields {names}.").format(names=", ".join(_GUIDELINE)))
    read = {name: reader(value[name]) for name, reader in _GUIDELINE.items() if name in value}
    if not read.get("when") or not read.get("do"):
        raise ValidationError(gettext("Say for each guideline when it applies and what to do."))
    return Guideline(**read)


def _routes(value: object) -> dict[str, tuple[str, ...]]:
    read: dict[str, tuple[str, ...]] = {}
    for purpose, names in _by_purpose(value).items():
        is_list = isinstance(names, list | tuple) and all(isinstance(name, str) and name for name in names)
        if not is_list or len(names) > MAX_ROUTES or len(set(names)) < len(names):
            raise ValidationError(
                gettext("{purpose}: list up to {limit} connections, each once.").format(
                    purpose=purpose, limit=MAX_ROUTES
                )
            )
        if names:
            read[purpose] = tuple(names)
    return read


def _parameters(value: object) -> dict[str, Parameters]:
    return {purpose: _asking(purpose, one) for purpose, one in _by_purpose(value).items()}


def _asking(purpose: str, value: object) -> Parameters:
    names = {"temperature", "max_output_tokens"}
    if not isinstance(value, Mapping) or not set(value) <= names:
        raise ValidationError(
            gettext("{purpose}: give temperature, max_output_tokens or both.").format(purpose=purpose)
        )
    temperature, tokens = value.get("temperature"), value.get("max_output_tokens")
    if temperature is not None and not _is_temperature(temperature):
        raise ValidationError(gettext("{purpose}: use a temperature from 0 to 2.").format(purpose=purpose))
    length = None if tokens is None else _whole(16, MAX_TOKENS)(tokens)
    return Parameters(None if temperature is None else float(temperature), length)


def _is_temperature(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_TEMPERATURE


def _by_purpose(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not set(value) <= set(PURPOSES):
        raise ValidationError(gettext("Use only these purposes: {names}.").format(names=", ".join(PURPOSES)))
    return value


_GUIDELINE: Final[Mapping[str, Callable[[object], Any]]] = {
    "when": _text(MAX_LINE),
    "do": _text(MAX_LINE),
    "priority": _whole(0, MAX_PRIORITY),
    "asker": _one_of(ASKERS),
    "languages": _languages,
    "author": _text(150),
}
_READERS: Final[Mapping[str, Callable[[object], Any]]] = {
    "name": _text(MAX_NAME),
    "greetings": _greetings,
    "tone": _text(MAX_LINE),
    "rules": _text(MAX_TEXT),
    "instructions": _text(MAX_TEXT),
    "guidelines": _guidelines,
    "hand_over_when": _text(MAX_LINE),
    "strictness": _one_of(STRICTNESS),
    "passages": _whole(1, MAX_PASSAGES),
    "routes": _routes,
    "parameters": _parameters,
}
