"""Makes drafts from the operations of an OpenAPI file (3.0 and 3.1, JSON or YAML). Pure: no request is made. The file
is not trusted. References must stay inside it; otherwise the whole file is refused. Its texts become suggestions, never
part of a document. Nothing in it is followed, executed or fetched.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from actions.definitions.errors import ExpressionError
from actions.definitions.importing.customers import (
    OF_IDENTITY,
    check_identity,
    check_names,
    names_customer,
    value_in_body,
)
from actions.definitions.importing.drafts import Draft, Imported, Names, humanised, printable, snake
from actions.definitions.importing.shapes import Note, declared, properties_of
from actions.definitions.importing.structure import InvalidFile, read_structure
from actions.definitions.template import compile_path

MAX_OPERATIONS: Final = 1_000
_MAX_STEPS: Final = 400_000  # references and schemas that are looked at in the whole file,
_STEPS_OF_ONE: Final = 3_000  # and in one operation
_MAX_ARGUMENTS: Final = 30
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_OTHER_METHODS: Final = frozenset({"head", "options", "trace"})
_OWN_HEADERS: Final = frozenset({
    "authorization", "accept", "content-type", "cookie", "host", "content-length", "user-agent",
})  # fmt: skip
# The later one wins; an operation may have only a summary.
_SUGGESTED: Final = (("title.en", "summary"), ("description.en", "summary"), ("description.en", "description"))
_KEY_HEADERS: Final = frozenset({"idempotency-key", "x-idempotency-key", "x-request-id"})
_HEADER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}", re.ASCII)
_PARAMETER: Final = re.compile(r"\{([^{}]*)\}")
_DID_NOT: Final = "status >= 400 and status < 500 and status not in [408, 409, 425, 429]"


def read_openapi(text: str, connection: str = "") -> Imported:
    """Return a draft for each operation; raises InvalidFile. The drafts use `connection`, if it is given."""
    top = read_structure(text)
    _check_version(top)
    _refuse_remote_references(top)
    return _File(top, connection).read()


def _check_version(top: Any) -> None:
    if not isinstance(top, Mapping):
        raise InvalidFile("The file is no OpenAPI description: it should be one object.")
    if "swagger" in top:
        raise InvalidFile("This is Swagger 2.0. Convert the file to OpenAPI 3 and import it again.")
    if not re.match(r"3\.[01](\.|$)", str(top.get("openapi", ""))):
        raise InvalidFile('The file is no OpenAPI description of version 3.0 or 3.1: its "openapi" says so in none.')
    if not isinstance(top.get("paths"), Mapping) or not top["paths"]:
        raise InvalidFile('The file has no operations: its "paths" are empty.')


def _refuse_remote_references(top: Any) -> None:
    seen: set[int] = set()
    waiting: list[tuple[Any, str]] = [(top, "")]
    while waiting:
        node, at = waiting.pop()
        if not isinstance(node, dict | list) or id(node) in seen:
            continue
        seen.add(id(node))
        reference = node.get("$ref") if isinstance(node, dict) else None
        if isinstance(reference, str) and not reference.startswith("#/"):
            shown, place = printable(reference, 80), printable(at, 120) or "the top"
            raise InvalidFile(
                f"The file refers to something outside of itself ({shown}, at {place}). Nothing is fetched. Put "
                "everything into one file and import it again."
            )
        named = node.items() if isinstance(node, dict) else enumerate(node)
        waiting += [(item, f"{at}/{name}") for name, item in named]


class _File:
    """One file with its names and its remaining steps."""

    def __init__(self, top: Mapping[str, Any], connection: str) -> None:
        self._top = top
        self._connection = connection
        self._names = Names()
        self._left = _MAX_STEPS  # of the file
        self._steps = _MAX_STEPS  # of what is being read
        self._notes: list[str] = []

    def read(self) -> Imported:
        operations = list(self._operations())
        if len(operations) > MAX_OPERATIONS:
            self._notes.append(
                f"The file has {len(operations):,} operations; the first {MAX_OPERATIONS:,} are offered. "
                "Split the file, or remove what you do not need."
            )
        drafts = [self._draft(*one) for one in operations[:MAX_OPERATIONS]]
        info = self._top.get("info")
        title = printable(info.get("title") if isinstance(info, Mapping) else "", 100)
        connection = {**self._server(), **self._auth()}
        return Imported(title, drafts, self._notes[:30], connection)

    def _operations(self) -> Iterator[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]]:
        for path, given in self._top["paths"].items():
            item = self._resolved(given, self._notes.append)
            if not isinstance(item, Mapping):
                self._notes.append(f"{printable(path, 80)}: this path is not an object and is left out.")
                continue
            for method in item:
                if method in _METHODS and isinstance(item[method], Mapping):
                    yield path, method, item, item[method]
                elif method in _METHODS or method in _OTHER_METHODS:
                    self._notes.append(f"{method.upper()} {printable(path, 80)} cannot be used and is left out.")

    def _draft(self, path: str, method: str, item: Mapping[str, Any], operation: Mapping[str, Any]) -> Draft:
        given = operation.get("operationId")
        name = snake(given, 56) if isinstance(given, str) else ""
        name = self._names.free(name or snake(f"{method} {path}", 56) or method)
        draft = Draft({"format": 1, "name": name}, f"{method.upper()} {printable(path, 120)}")
        if operation.get("deprecated") is True:
            draft.note("The file says that this operation is deprecated.")
        self._steps = allowed = min(_STEPS_OF_ONE, self._left)
        _Operation(self, draft, path, method, item, operation).fill(self._connection)
        self._left -= allowed - max(0, self._steps)
        if self._steps <= 0:
            draft.note("The file is too intricate: this operation was not read to its end.")
        return draft

    def resolve(self, node: Any, note: Note) -> Any:
        return self._resolved(node, note)

    def _resolved(self, node: Any, note: Note, seen: tuple[str, ...] = ()) -> Any:
        """Return what a node refers to; circular and missing references are cut, with a note."""
        self._steps -= 1
        if self._steps <= 0:
            return None
        reference = node.get("$ref") if isinstance(node, Mapping) else None
        if not isinstance(reference, str):
            return node
        if reference in seen or len(seen) > 20:
            note(f"The reference {printable(reference, 80)} leads in a circle and is cut there.")
            return None
        target: Any = self._top
        for part in reference[2:].split("/"):
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(target, list) and key.isascii() and key.isdigit() and len(key) < 8 and int(key) < len(target):
                target = target[int(key)]
            elif isinstance(target, Mapping) and key in target:
                target = target[key]
            else:
                note(f"The reference {printable(reference, 80)} leads nowhere.")
                return None
        return self._resolved(target, note, (*seen, reference))

    def _server(self) -> dict[str, str]:
        servers = self._top.get("servers")
        given = [one.get("url") for one in servers if isinstance(one, Mapping)] if isinstance(servers, list) else []
        urls = [printable(url, 300) for url in given if isinstance(url, str)]
        if not urls:
            self._notes.append("The file names no server. Enter the address of the connection by hand.")
            return {}
        if len(urls) > 1:
            self._notes.append(f"The file names {len(urls)} servers. The first is suggested: {urls[0]}")
        if not urls[0].startswith(("https://", "http://")) or "{" in urls[0]:
            self._notes.append(f"The server's address is not complete: {urls[0]}. Enter it by hand.")
            return {}
        return {"base_url": urls[0]}

    def _auth(self) -> dict[str, str]:
        components = self._top.get("components")
        schemes = components.get("securitySchemes") if isinstance(components, Mapping) else None
        for given in schemes.values() if isinstance(schemes, Mapping) else ():
            scheme = self._resolved(given, self._notes.append)
            found = _auth_of(scheme) if isinstance(scheme, Mapping) else {}
            if found:
                return found
        if schemes:
            self._notes.append("The file signs in by a way that no connection has. Ask the shop for a key or a token.")
        return {}


def _auth_of(scheme: Mapping[str, Any]) -> dict[str, str]:
    match scheme.get("type"), str(scheme.get("scheme", "")).lower():
        case "http", "bearer":
            return {"auth": "bearer"}
        case "http", "basic":
            return {"auth": "basic"}
        case "mutualTLS", _:
            return {"auth": "mtls"}
        case "apiKey", _ if scheme.get("in") == "header" and _HEADER.fullmatch(str(scheme.get("name"))):
            return {"auth": "header", "header": str(scheme["name"])}
        case "oauth2", _:
            flows = scheme.get("flows")
            flow = flows.get("clientCredentials") if isinstance(flows, Mapping) else None
            if isinstance(flow, Mapping):
                return {"auth": "oauth_client_credentials", "token_url": printable(flow.get("tokenUrl"), 300)}
    return {}


class _Operation:
    """Fills the draft of one operation."""

    def __init__(
        self, file: _File, draft: Draft, path: str, method: str, item: Mapping[str, Any], operation: Mapping[str, Any]
    ) -> None:
        self._file, self._draft = file, draft
        self._path, self._method = path, method
        self._item, self._operation = item, operation
        self._names = Names("money")
        self._arguments: dict[str, Any] = {}

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
            document["result"] = self._result()
        else:
            self._write(call, key_header)

    def _call(self) -> tuple[dict[str, Any], str]:
        places: dict[str, str] = {}
        call: dict[str, Any] = {"method": self._method.upper()}
        query: dict[str, str] = {}
        headers: dict[str, str] = {}
        key_header = ""
        for parameter in self._parameters():
            name, place = str(parameter.get("name", "")), parameter.get("in")
            if place == "header" and name.lower() in _KEY_HEADERS:
                key_header = name
            elif place == "header" and (name.lower() in _OWN_HEADERS or not _HEADER.fullmatch(name)):
                self._draft.note(f"The header {printable(name, 40)} is left out.")
            elif place == "cookie" or place not in ("path", "query", "header"):
                self._draft.note(f"{printable(name, 40)}: a parameter in {printable(str(place), 20)} cannot be sent.")
            else:
                is_required = place == "path" or parameter.get("required") is True
                after = self._segment_before(name) if place == "path" else ""
                argument = self._argument(
                    name, self._schema_of(parameter), is_required, parameter.get("description"), after=after
                )
                if argument and place == "path":
                    places[name] = argument
                elif argument:
                    fields = query if place == "query" else headers
                    fields[self._key(name, argument)] = f"{{arguments.{argument}}}"
        call |= self._written_path(places)
        call |= ({"query": query} if query else {}) | ({"headers": headers} if headers else {}) | self._body()
        return call, key_header

    def _parameters(self) -> list[Mapping[str, Any]]:
        found: dict[tuple[str, str], Mapping[str, Any]] = {}
        for owner in (self._item, self._operation):
            given = owner.get("parameters")
            for one in given[:200] if isinstance(given, list) else ():
                parameter = self._file.resolve(one, self._draft.note)
                if isinstance(parameter, Mapping) and isinstance(parameter.get("name"), str):
                    found[parameter["name"], str(parameter.get("in"))] = parameter
                elif parameter is not None:
                    self._draft.note("A parameter without a name is left out.")
        return list(found.values())

    def _schema_of(self, parameter: Mapping[str, Any]) -> Any:
        if "schema" in parameter:
            return parameter["schema"]
        content = parameter.get("content")
        first = next(iter(content.values()), None) if isinstance(content, Mapping) else None
        return first.get("schema", {}) if isinstance(first, Mapping) else {}

    def _segment_before(self, name: str) -> str:
        """Return the segment of the path before a parameter: orders, of /orders/{id}."""
        before, found, _ = self._path.partition(f"/{{{name}}}")
        return before.rpartition("/")[2] if found else ""

    def _key(self, name: str, argument: str) -> str:
        """Return a field's name in a call: with ? if it may be absent."""
        return name if self._arguments[argument].get("required", True) else f"{name}?"

    def _argument(self, name: str, schema: Any, is_required: bool, description: Any, *, after: str = "") -> str:
        """Declare an argument and return its name; "" if there are too many."""
        if len(self._arguments) == _MAX_ARGUMENTS:
            self._draft.note(f"There are more than {_MAX_ARGUMENTS} arguments; {printable(name, 40)} is left out.")
            return ""
        argument = self._names.free(snake(name, 36) or "argument")
        if names_customer(name, schema, after=after):
            self._arguments[argument] = dict(OF_IDENTITY)
            check_identity(self._draft, argument)
            return argument
        spec = declared(schema, argument, self._file.resolve, self._draft.note)
        check_names(self._draft, argument, name, spec)
        self._arguments[argument] = spec if is_required else {**spec, "required": False}
        inner = schema.get("description") if isinstance(schema, Mapping) else None
        self._draft.suggest(f"arguments.{argument}.description", description or inner)
        return argument

    def _written_path(self, places: dict[str, str]) -> dict[str, str]:
        def placed(match: re.Match[str]) -> str:
            name = match[1]
            if name not in places:
                self._draft.note(
                    f"The path names {printable(name, 40)}, which the file does not declare: taken as text."
                )
                argument = self._argument(name, {"type": "string"}, True, "", after=self._segment_before(name))
                return f"{{arguments.{argument or name}}}"
            return f"{{arguments.{places[name]}}}"

        text = _PARAMETER.sub(placed, self._path)
        try:
            compile_path(text)
        except ExpressionError as error:
            self._draft.note(f"The path {printable(self._path, 120)} cannot be called: {error.why}")
            return {}
        return {"path": text}

    def _body(self) -> dict[str, Any]:
        body = self._file.resolve(self._operation.get("requestBody"), self._draft.note)
        if not isinstance(body, Mapping):
            return {}
        if self._method in ("get", "delete"):
            self._draft.note(f"A {self._method.upper()} call has no body here; the one of the file is left out.")
            return {}
        schema = self._json_schema(body)
        if schema is None:
            self._draft.note("Its body is not JSON and cannot be sent.")
            return {}
        properties, required = properties_of(schema, "body", self._file.resolve, self._draft.note)
        if not properties:
            argument = self._argument("body", schema, body.get("required") is True, body.get("description"))
            return {"body": f"{{arguments.{argument}}}"} if argument else {}
        return {"body": dict(self._body_fields(properties, required))}

    def _body_fields(self, properties: Mapping[str, Any], required: frozenset[str]) -> Iterator[tuple[str, str]]:
        for name, schema in properties.items():
            found = self._file.resolve(schema, self._draft.note)
            if isinstance(found, Mapping) and found.get("readOnly") is True:
                continue
            argument = self._argument(name, schema, name in required, None)
            if argument:
                yield self._key(name, argument), value_in_body(argument, self._arguments[argument], found)

    def _json_schema(self, body: Mapping[str, Any]) -> Any:
        content = body.get("content")
        for kind, media in content.items() if isinstance(content, Mapping) else ():
            is_json = re.fullmatch(r"application/([\w.+-]+\+)?json(;.*)?", str(kind).strip().lower())
            if is_json and isinstance(media, Mapping):
                return media.get("schema", {})
        return None

    def _answered(self) -> tuple[list[int], Any]:
        """Return the success statuses, and the schema of the first body among them."""
        responses = self._operation.get("responses")
        statuses, schema = [], None
        for status, given in responses.items() if isinstance(responses, Mapping) else ():
            if not re.fullmatch(r"2[0-9][0-9]", str(status)):
                continue
            statuses.append(int(status))
            response = self._file.resolve(given, self._draft.note)
            if schema is None and isinstance(response, Mapping):
                schema = self._json_schema(response)
        return sorted(statuses)[:5] or [200], schema

    def _result(self) -> dict[str, Any]:
        _, schema = self._answered()
        found = self._file.resolve(schema, self._draft.note)
        if isinstance(found, Mapping) and found.get("type") == "array":
            return {"list": "record", "as": "entry", "fields": self._fields(found.get("items"), "entry")}
        return {"fields": self._fields(found, "record")}

    def _fields(self, schema: Any, of: str) -> list[dict[str, Any]]:
        """Return the parts of an answer that can be shown: its plain fields, under their own names."""
        properties, _ = properties_of(schema, "answer", self._file.resolve, self._draft.note)
        names = Names()
        fields: list[dict[str, Any]] = []
        for name, given in properties.items():
            one = self._file.resolve(given, self._draft.note)
            kind = one.get("type") if isinstance(one, Mapping) else None
            kinds = kind if isinstance(kind, list) else [kind]
            if not {"string", "integer", "number", "boolean"} & {str(one) for one in kinds} or len(fields) == 20:
                continue
            plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,60}", name)
            if not plain:
                continue
            label = names.free(snake(name) or "value")
            fields.append({"name": label, "label": {"en": humanised(label)}, "value": f"{of}.{name}"})
        return fields

    def _write(self, call: dict[str, Any], key_header: str) -> None:
        document = self._draft.document
        statuses, schema = self._answered()
        if key_header and _HEADER.fullmatch(key_header):
            call["key"] = {"header": key_header}
            self._draft.note(
                "It takes a key. If the shop answers a repeated key with its first answer, choose to send an unclear "
                "call again (replay_safe)."
            )
        document["call"] = call
        document["answer"] = {"happened": f"status in [{', '.join(map(str, statuses))}]", "did_not": _DID_NOT}
        document["outcome"] = {"kind": "at_most_once"}
        rows = [
            {"label": {"en": humanised(name)}, "value": f"arguments.{name}"}
            for name, spec in self._arguments.items()
            if spec.get("type") not in ("object", "list", None) and spec.get("from") != "identity"
        ]
        document["card"] = {"title": dict(document["title"]), "rows": rows[:20]}
        document["receipt"] = self._fields(schema, "body")[:5]
