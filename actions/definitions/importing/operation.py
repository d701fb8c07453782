"""Making the draft of one operation of an OpenAPI file: its call, arguments, card and result. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from django.utils.translation import gettext_noop

from actions.definitions.errors import ExpressionError
from actions.definitions.expressions.template import compile_path
from actions.definitions.importing.amounts import check_amounts
from actions.definitions.importing.customer_fields import (
    OF_IDENTITY,
    check_identity,
    check_names,
    inner_id_in,
    names_customer,
    owner_ids_in,
    owner_in,
    suggest_identity,
    value_in_body,
)
from actions.definitions.importing.drafts import MAX_ROWS, Draft, Names, card_rows, humanised, printable, snake
from actions.definitions.importing.json_schema import TOO_MANY, Note, declared, listed_types, properties_of
from actions.definitions.importing.records import (
    Field,
    Record,
    Records,
    fields_in,
    id_in,
    own_id_in,
)
from actions.definitions.importing.responses import Answer, json_schema
from actions.definitions.parsing.document import RESERVED
from actions.money import CURRENCY

_MAX_ARGUMENTS: Final = 30
_MAX_LOOKUPS: Final = 3
_MAX_EXAMPLE: Final = 100
# Digits with at most one run of letters, such as A-1001: instructions need words, and an address needs . / or :
_CODE: Final = re.compile(r"(?=.{1,36}\Z)#?[0-9_-]*[A-Za-z]{0,4}[0-9_-]*", re.ASCII)
_DIGIT: Final = re.compile(r"[0-9]", re.ASCII)
_ACCEPTED: Final = 202
HEADER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}", re.ASCII)
_OWN_HEADERS: Final = frozenset({
    "authorization", "accept", "content-type", "cookie", "host", "content-length", "user-agent",
})  # fmt: skip
# Later entries win; an operation may have only a summary.
_SUGGESTED: Final = (("title.en", "summary"), ("description.en", "summary"), ("description.en", "description"))
_KEY_HEADERS: Final = frozenset({"idempotency-key", "x-idempotency-key", "x-request-id"})
_IDEMPOTENCY: Final = "idempotency"  # part of Idempotency-Key in the IETF's draft, and of fields named after it
# A whole number that names a record is declared as text, so the publisher must prove whose record it is.
_NUMBER_OF_A_RECORD: Final = {"type": "string", "pattern": "[0-9]{1,15}"}
_PARAMETER: Final = re.compile(r"\{([^{}]*)\}")
_TAKES_KEY: Final = gettext_noop(
    "The call takes an idempotency key. If the system responds to a repeated key with its first response, choose “Send "
    "it again; the system carries it out only once” (replay_safe)."
)
# The only value of a field: a code, without signs that a template or an expression reads.
_CODE_VALUE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,59}", re.ASCII)
_DID_NOT: Final = "status >= 400 and status < 500 and status not in [408, 409, 425, 429]"


def fixed_currency(name: str, schema: Any) -> str | None:
    """Return the only currency that a field can have, such as "EUR"; None for any other field. No other field gets its
    only value without asking: `terms` with the only value "accepted" is the customer's consent.
    """
    only = only_value(schema)
    return only if only and snake(name).split("_")[-1] == "currency" and CURRENCY.fullmatch(only) else None


def only_value(schema: Any) -> str | None:
    """Return the only text that a field can have, such as "EUR", if it is a single code; None for any other field."""
    if not isinstance(schema, Mapping):
        return None
    options = schema["enum"] if isinstance(schema.get("enum"), list) else [schema.get("const")]
    only = options[0] if len(options) == 1 else None
    return only if isinstance(only, str) and _CODE_VALUE.fullmatch(only) else None


def _first_example(source: Any) -> Any:
    """Return the first example of a parameter or a schema. Since OpenAPI 3.1, a schema may have a list of examples; a
    parameter may have several named ones.
    """
    if not isinstance(source, Mapping):
        return None
    several = source.get("examples")
    if isinstance(several, Mapping):
        several = [one.get("value") for one in several.values() if isinstance(one, Mapping)]
    first = several[0] if isinstance(several, list) and several else None
    return source.get("example", first)


class Operation:
    """One operation whose draft is being filled in; `resolve` returns what a node of the file refers to."""

    def __init__(
        self,
        resolve: Callable[[Any, Note], Any],
        records: Records,
        draft: Draft,
        path: str,
        method: str,
        item: Mapping[str, Any],
        operation: Mapping[str, Any],
    ) -> None:
        self._resolve, self._records, self._draft = resolve, records, draft
        self._path, self._method = path, method
        self._item, self._operation = item, operation
        self._answer = Answer(operation, resolve, draft.note)
        self._names = Names("money")
        self._arguments: dict[str, Any] = {}
        self._places: dict[str, str] = {}  # the argument of each parameter of the path

    def fill(self, connection: str) -> None:
        draft, document = self._draft, self._draft.document
        document["kind"] = "read" if self._method == "get" else "write"
        document["title"] = {"en": humanised(document["name"])[:80]}
        for path, source in _SUGGESTED:
            draft.suggest(path, self._operation.get(source))
        if connection:
            document["connection"] = connection
        call, key_header = self._call()
        document["arguments"] = self._arguments
        if document["kind"] == "read":
            document["lookups"] = [{"name": "record", "call": call}]
            document["result"] = self._answer.result()
            check_amounts(draft, document["result"]["fields"])
            self._draft.suggest("lookups[0].owner", self._owner_of_answer())
            suggest_identity(self._draft, self._arguments, self._records.owners)
            if not self._draft.suggestions.get("lookups[0].owner") and "identity" in self._draft.suggestions.values():
                self._draft.suggest("lookups[0].owner", "identity.sub")
        else:
            self._write(call, key_header)

    def _call(self) -> tuple[dict[str, Any], str]:
        call: dict[str, Any] = {"method": self._method.upper()}
        query: dict[str, str] = {}
        headers: dict[str, str] = {}
        key_header = ""
        for parameter in self._parameters():
            name, place = str(parameter.get("name", "")), parameter.get("in")
            if place == "header" and (name.lower() in _KEY_HEADERS or _IDEMPOTENCY in snake(name).split("_")):
                key_header = name
            elif place == "query" and self._is_key(name, self._resolve(self._schema_of(parameter), self._draft.note)):
                query[name] = "{key}"
            elif (
                place == "query"
                and parameter.get("required") is True
                and (fixed := self._fixed(name, self._schema_of(parameter)))
            ):
                query[name] = fixed
            elif place == "header" and (name.lower() in _OWN_HEADERS or not HEADER.fullmatch(name)):
                self._draft.note(gettext_noop("The header {name} is left out."), name=printable(name, 40))
            elif place == "cookie" or place not in ("path", "query", "header"):
                self._draft.note(
                    gettext_noop("{name}: a parameter in {place} cannot be sent."),
                    name=printable(name, 40),
                    place=printable(str(place), 20),
                )
            else:
                is_required = place == "path" or parameter.get("required") is True
                after = self._segment_before(name) if place == "path" else ""
                argument = self._argument(
                    name, self._schema_of(parameter), is_required, parameter.get("description"), after=after
                )
                self._suggest_example(argument, parameter)
                if argument and place == "path":
                    self._places[name] = argument
                elif argument:
                    fields = query if place == "query" else headers
                    fields[self._key(name, argument)] = f"{{arguments.{argument}}}"
        call |= self._written_path()
        call |= ({"query": query} if query else {}) | ({"headers": headers} if headers else {}) | self._body()
        return call, key_header

    def _parameters(self) -> list[Mapping[str, Any]]:
        found: dict[tuple[str, str], Mapping[str, Any]] = {}
        for owner in (self._item, self._operation):
            given = owner.get("parameters")
            for one in given[:200] if isinstance(given, list) else ():
                parameter = self._resolve(one, self._draft.note)
                if isinstance(parameter, Mapping) and isinstance(parameter.get("name"), str):
                    found[parameter["name"], str(parameter.get("in"))] = parameter
                elif parameter is not None:
                    self._draft.note(gettext_noop("A parameter without a name is left out."))
        return list(found.values())

    def _schema_of(self, parameter: Mapping[str, Any]) -> Any:
        if "schema" in parameter:
            return parameter["schema"]
        content = parameter.get("content")
        first = next(iter(content.values()), None) if isinstance(content, Mapping) else None
        return first.get("schema", {}) if isinstance(first, Mapping) else {}

    def _fixed(self, name: str, schema: Any) -> str | None:
        """Return the only value of a required field if it is sent without asking, and ask a person to check it."""
        fixed = fixed_currency(name, self._resolve(schema, self._draft.note))
        if fixed:
            self._draft.check(
                gettext_noop("{name}: always sent as {value}, the only value in the file."),
                name=printable(name, 40),
                value=fixed,
            )
        return fixed

    def _suggest_only_value(self, argument: str, schema: Any) -> None:
        """Suggest sending an argument's only possible value without asking. The value may be a consent or switch
        something on, so the customer is asked until a person decides otherwise.
        """
        if only := only_value(self._resolve(schema, self._draft.note)):
            self._draft.check(
                gettext_noop(
                    "{argument}: the file allows only {value}. The customer is asked for it. If the customer neither "
                    "consents to it nor chooses it, use the suggested computed value under Arguments instead."
                ),
                argument=argument,
                value=only,
            )
            self._draft.suggest(f"arguments.{argument}.from", "server")
            self._draft.suggest(f"arguments.{argument}.value", f"'{only}'")

    def _segment_before(self, name: str) -> str:
        """Return the segment of the path before a parameter, such as "orders" in /orders/{id}."""
        before, found, _ = self._path.partition(f"/{{{name}}}")
        return before.rpartition("/")[2] if found else ""

    def _key(self, name: str, argument: str) -> str:
        """Return a field's name in a call, followed by ? if the field may be absent."""
        return name if self._arguments[argument].get("required", True) else f"{name}?"

    def _argument(self, name: str, schema: Any, is_required: bool, description: Any, *, after: str = "") -> str:
        """Declare an argument and return its name; "" if there are too many."""
        if len(self._arguments) == _MAX_ARGUMENTS:
            self._draft.note(TOO_MANY, most=_MAX_ARGUMENTS, name=printable(name, 40))
            return ""
        argument = self._names.free(snake(name, 36) or "argument")
        if names_customer(name, schema, after=after):
            self._arguments[argument] = dict(OF_IDENTITY)
            check_identity(self._draft, argument)
            return argument
        spec = declared(schema, argument, self._resolve, self._draft.note)
        if spec.get("type") == "integer" and argument in self._records.by_noun:
            spec = dict(_NUMBER_OF_A_RECORD)
        check_names(self._draft, argument, name, spec)
        self._arguments[argument] = spec if is_required else {**spec, "required": False}
        if is_required:
            self._suggest_only_value(argument, schema)
        inner = schema.get("description") if isinstance(schema, Mapping) else None
        self._draft.suggest(f"arguments.{argument}.description", description or inner)
        self._suggest_example(argument, self._resolve(schema, self._draft.note))
        return argument

    def _suggest_example(self, argument: str, *sources: Any) -> None:
        """Use the first example of a string: the parameter's own, or its schema's. Text from a file must not get into a
        prompt unread, so an example other than a single code with a digit, such as A-1001, is only suggested.
        """
        if self._arguments.get(argument, {}).get("type") != "string" or argument in self._identity():
            return
        for source in sources:
            given = _first_example(source)
            if isinstance(given, str | int) and not isinstance(given, bool):
                text = printable(str(given), _MAX_EXAMPLE)
                if _CODE.fullmatch(text) and _DIGIT.search(text):
                    self._arguments[argument] = {**self._arguments[argument], "example": text}
                else:
                    self._draft.suggest(f"arguments.{argument}.example", text)
                return

    def _identity(self) -> set[str]:
        return {name for name, spec in self._arguments.items() if spec.get("from") == "identity"}

    def _written_path(self) -> dict[str, str]:
        def placed(match: re.Match[str]) -> str:
            name = match[1]
            if name not in self._places:
                self._draft.note(
                    gettext_noop("The path contains {name}, which the file does not declare. It is treated as text."),
                    name=printable(name, 40),
                )
                argument = self._argument(name, {"type": "string"}, True, "", after=self._segment_before(name))
                self._places[name] = argument or name
            return f"{{arguments.{self._places[name]}}}"

        text = _PARAMETER.sub(placed, self._path)
        try:
            compile_path(text)
        except ExpressionError as error:
            self._draft.note(
                gettext_noop("The path {path} cannot be called: {why}"), path=printable(self._path, 120), why=error.why
            )
            return {}
        return {"path": text}

    def _body(self) -> dict[str, Any]:
        body = self._resolve(self._operation.get("requestBody"), self._draft.note)
        if not isinstance(body, Mapping):
            return {}
        if self._method in ("get", "delete"):
            self._draft.note(
                gettext_noop("A {method} call cannot have a body, so the body in the file is left out."),
                method=self._method.upper(),
            )
            return {}
        schema = json_schema(body)
        if schema is None:
            self._draft.note(gettext_noop("Its body is not JSON and cannot be sent."))
            return {}
        properties, required = properties_of(schema, "body", self._resolve, self._draft.note)
        if not properties:
            argument = self._argument("body", schema, body.get("required") is True, body.get("description"))
            return {"body": f"{{arguments.{argument}}}"} if argument else {}
        return {"body": dict(self._body_fields(properties, required))}

    def _body_fields(self, properties: Mapping[str, Any], required: frozenset[str]) -> Iterator[tuple[str, str]]:
        for name, schema in properties.items():
            found = self._resolve(schema, self._draft.note)
            if isinstance(found, Mapping) and found.get("readOnly") is True:
                continue
            if self._is_key(name, found):
                yield name, "{key}"
                continue
            if name in required and (fixed := self._fixed(name, found)):
                yield name, fixed
                continue
            argument = self._argument(name, schema, name in required, None)
            if argument:
                yield self._key(name, argument), value_in_body(argument, self._arguments[argument], found)

    def _is_key(self, name: str, schema: Any) -> bool:
        """Return whether a field takes the idempotency key: new for each request, but the same when a request is sent
        again.
        """
        is_text = isinstance(schema, Mapping) and "string" in (schema.get("type"), *listed_types(schema.get("type")))
        is_key = self._method != "get" and is_text and _IDEMPOTENCY in snake(name).split("_")
        if is_key:
            self._draft.note(gettext_noop("{name} contains the request's key."), name=printable(name, 40))
            self._draft.hint("outcome.kind", _TAKES_KEY)
        return is_key

    def _done(self, statuses: list[int]) -> list[int]:
        """Return the statuses that mean that the call was carried out: 202 only means that it was accepted."""
        if _ACCEPTED not in statuses:
            return statuses
        self._draft.check(
            gettext_noop(
                "Status 202 means that the call was accepted, not that it was carried out, so its outcome counts as "
                "unknown. If the system has already carried it out when it returns 202, add 202 to “It happened if”."
            )
        )
        return [status for status in statuses if status != _ACCEPTED]

    def _write(self, call: dict[str, Any], key_header: str) -> None:
        document = self._draft.document
        if key_header and HEADER.fullmatch(key_header):
            call["key"] = {"header": key_header}
            self._draft.hint("outcome.kind", _TAKES_KEY)
        document["call"] = call
        document["answer"] = {"did_not": _DID_NOT}
        if done := self._done(self._answer.statuses()):
            document["answer"] = {"happened": f"status in [{', '.join(map(str, done))}]"} | document["answer"]
        document["outcome"] = {"kind": "at_most_once"}
        open_ones = {name: spec for name, spec in self._arguments.items() if spec.get("from") != "identity"}
        rows = [row for name, spec in open_ones.items() for row in card_rows(name, spec)]
        document["card"] = {"title": dict(document["title"]), "rows": rows[:MAX_ROWS]}
        document["receipt"] = self._answer.receipt()
        check_amounts(self._draft, document["receipt"])
        if self._answer.explains_problems():
            self._draft.suggest("answer.reason", "body.detail")
        self._look_up(open_ones)

    def _owner_of_answer(self) -> str:
        """Return an expression for the likely owner of a look-up's record: a field of the record, or the customer if
        the call names them; "" if there is neither.
        """
        fields = fields_in(self._answer.schema(), self._answer.properties)
        record = self._records.by_path.get(self._path)
        owner = owner_in(fields, record)
        if not owner and any(spec.get("from") == "identity" for spec in self._arguments.values()):
            return "identity.sub"
        own = [*self._arguments, *([record.unread_id] if record else ())]
        owner = owner or self._owner_by_id(fields, own, "record", record)
        return f"record.{owner}" if owner else ""

    def _owner_by_id(self, fields: Sequence[Field], own: Iterable[str], name: str, record: Record | None) -> str:
        """Return the field of a record that may identify its owner by an id, whatever the file calls its customers."""
        own_id = own_id_in(fields, record)
        if own_id and names_customer(own_id.rpartition(".")[2], after=own_id.rpartition(".")[0].rpartition(".")[2]):
            self._draft.check(
                gettext_noop(
                    "{field}: the record's own id. Choose it as the owner only if it is the customer's own id."
                ),
                field=f"{name}.{own_id}",
            )
        return inner_id_in(fields) or self._only_owner(fields, own, name)

    def _only_owner(self, fields: Sequence[Field], own: Iterable[str], record: str) -> str:
        """Return the field of a record that may identify an owner by an id; "" if there is none. If there are several,
        a person must say which.
        """
        found = owner_ids_in(fields, self._records, own)
        if len(found) > 1:
            named = ", ".join(f"{record}.{path}" for path in found[:5])
            self._draft.check(
                gettext_noop("{record}: the owner's id may be in {names}. Choose the one that is the customer's id."),
                record=record,
                names=named,
            )
        return found[0] if len(found) == 1 else ""

    def _look_up(self, arguments: Mapping[str, Any]) -> None:
        """Add look-ups of the records that the call refers to, if the file says how. A person must then say who owns
        them.
        """
        lookups: list[dict[str, Any]] = []
        for record, places in self._named(arguments):
            names = {one["name"] for one in lookups} | {*arguments, *RESERVED}
            if record.name in names or len(lookups) == _MAX_LOOKUPS:
                continue
            at = len(lookups)
            lookups.append({"name": record.name, "call": {"method": "GET", "path": record.path_with(places)}})
            answer = Answer(record.operation, self._resolve, self._draft.note)
            fields = fields_in(answer.schema(), answer.properties)
            own = [*places, *places.values(), f"{record.name}_id"]
            if owner := owner_in(fields, record) or self._owner_by_id(fields, own, record.name, record):
                self._draft.suggest(f"lookups[{at}].owner", f"{record.name}.{owner}")
            if at == 0:
                own_id = id_in(fields, [*places.values(), *map(snake, places)])
                self._draft.suggest("subject.kind", record.name)
                self._draft.suggest("subject.id", f"{record.name}.{own_id}" if own_id else "")
        if lookups:
            self._draft.document["lookups"] = lookups
        self._check_nouns(arguments)
        suggest_identity(self._draft, arguments, self._records.owners)

    def _named(self, arguments: Mapping[str, Any]) -> Iterator[tuple[Record, Mapping[str, str]]]:
        """Yield each record that the call refers to, with the arguments for the parameters of its path: the record that
        the call's own path leads to, and those whose ids are among the call's arguments.
        """
        above = self._records.of_path(self._path)
        if above is not None and self._places.get(above.parameters[-1]) in {*arguments, *self._identity()}:
            yield above, self._places
        for argument in arguments:
            record = self._records.by_argument.get(argument)
            if record is not None and (above is None or record.path != above.path):
                yield record, {record.parameters[-1]: argument}

    def _check_nouns(self, arguments: Mapping[str, Any]) -> None:
        """Ask a person to check arguments that are named after a record rather than after its id."""
        nouns = self._records.by_noun
        for argument, spec in arguments.items():
            record = nouns.get(argument)
            if record is not None and spec.get("type") in ("string", "integer"):
                self._draft.check(
                    gettext_noop(
                        "{argument}: this may identify a record, because GET {path} reads a record of this name. If "
                        "it does, use it in a look-up with an owner."
                    ),
                    argument=argument,
                    path=printable(record.path, 80),
                )
