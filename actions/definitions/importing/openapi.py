"""Making drafts from the operations of an OpenAPI file (3.0 and 3.1, JSON or YAML). Pure: no request is made. The file
is not trusted. References must stay inside it; otherwise, the entire file is refused. Its texts become suggestions,
never part of a document. Nothing in it is followed, executed or fetched.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote

from django.utils.translation import gettext, gettext_noop

from actions.deferred_text import DeferredText, Value
from actions.definitions.importing.bounded_parsing import InvalidFile, read_structure
from actions.definitions.importing.customer_fields import owner_ids_in
from actions.definitions.importing.drafts import Draft, Imported, Names, printable, snake
from actions.definitions.importing.json_schema import Note
from actions.definitions.importing.operation import HEADER, Operation
from actions.definitions.importing.records import Records, fields_in, noun_of_id, records_of
from actions.definitions.importing.responses import Answer

MAX_OPERATIONS: Final = 1_000
_MAX_STEPS: Final = 400_000  # references and schemas that are read in the whole file
_STEPS_OF_ONE: Final = 3_000  # references and schemas that are read for one operation
_MAX_RECORDS: Final = 100  # records that are searched for the file's word for its customers
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_OTHER_METHODS: Final = frozenset({"head", "options", "trace"})


def read_openapi(text: str, connection: str = "") -> Imported:
    """Return a draft for each operation; raises InvalidFile. The drafts use `connection`, if it is given."""
    top = read_structure(text)
    _check_version(top)
    _refuse_remote_references(top)
    return _File(top, connection).read()


def _check_version(top: Any) -> None:
    if not isinstance(top, Mapping):
        raise InvalidFile(gettext("The file is not an OpenAPI description, which is a single JSON or YAML object."))
    if "swagger" in top:
        raise InvalidFile(gettext("This is Swagger 2.0. Convert the file to OpenAPI 3 and import it again."))
    if not re.match(r"3\.[01](\.|$)", str(top.get("openapi", ""))):
        raise InvalidFile(
            gettext(
                'The file is not an OpenAPI 3.0 or 3.1 description. Its "openapi" field must contain one of these '
                "versions, for example 3.1.0."
            )
        )
    if not isinstance(top.get("paths"), Mapping) or not top["paths"]:
        raise InvalidFile(gettext('The file has no operations: its "paths" are empty.'))


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
            text = gettext(
                "The file refers to something outside itself ({reference}, at {place}). Nothing is fetched. Put "
                "everything into one file and import it again."
            )
            raise InvalidFile(text.format(reference=printable(reference, 80), place=printable(at, 120) or "/"))
        named = node.items() if isinstance(node, dict) else enumerate(node)
        waiting += [(item, f"{at}/{name}") for name, item in named]


class _File:
    """One file with its names and its remaining steps."""

    def __init__(self, top: Mapping[str, Any], connection: str) -> None:
        self._top = top
        self._connection = connection
        self._names = Names()
        self._left = _MAX_STEPS  # remaining steps for the file
        self._steps = _MAX_STEPS  # remaining steps for the current part
        self._notes: list[DeferredText] = []
        self._records = Records()

    def read(self) -> Imported:
        operations = list(self._operations())
        if len(operations) > MAX_OPERATIONS:
            self._note(
                gettext_noop(
                    "The file has {number} operations; only the first {most} are listed. Split the file, or remove "
                    "what you do not need."
                ),
                number=len(operations),
                most=MAX_OPERATIONS,
            )
        self._records = records_of(operations[:MAX_OPERATIONS])
        self._records = replace(self._records, owners=frozenset(self._owners()))
        drafts = [self._draft(*one) for one in operations[:MAX_OPERATIONS]]
        info = self._top.get("info")
        title = printable(info.get("title") if isinstance(info, Mapping) else "", 100)
        connection = {**self._server(), **self._auth()}
        return Imported(title, drafts, self._notes[:30], connection)

    def _note(self, message: str, /, **values: Value) -> None:
        self._notes.append(DeferredText(message, **values))

    def _operations(self) -> Iterator[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]]:
        for path, given in self._top["paths"].items():
            item = self._resolved(given, self._note)
            if not isinstance(item, Mapping):
                self._note(
                    gettext_noop("{path}: this path is not an object and is left out."), path=printable(path, 80)
                )
                continue
            for method in item:
                if method in _METHODS and isinstance(item[method], Mapping):
                    yield path, method, item, item[method]
                elif method in _METHODS or method in _OTHER_METHODS:
                    self._note(
                        gettext_noop("{method} {path} cannot be used and is left out."),
                        method=method.upper(),
                        path=printable(path, 80),
                    )

    def _owners(self) -> Iterator[str]:
        """Yield the nouns whose ids in the file's records may identify the owners of these records."""
        for record in list(self._records.by_path.values())[:_MAX_RECORDS]:
            self._steps = _STEPS_OF_ONE
            answer = Answer(record.operation, self.resolve, _without_note)
            own = [*record.parameters, f"{record.name}_id"]
            for path in owner_ids_in(fields_in(answer.schema(), answer.properties), self._records, own):
                yield noun_of_id(path.rpartition(".")[2])

    def _draft(self, path: str, method: str, item: Mapping[str, Any], operation: Mapping[str, Any]) -> Draft:
        given = operation.get("operationId")
        name = snake(given, 56) if isinstance(given, str) else ""
        name = self._names.free(name or snake(f"{method} {path}", 56) or method)
        draft = Draft({"format": 1, "name": name}, f"{method.upper()} {printable(path, 120)}")
        if operation.get("deprecated") is True:
            draft.note(gettext_noop("The file says that this operation is deprecated."))
        self._steps = allowed = min(_STEPS_OF_ONE, self._left)
        Operation(self.resolve, self._records, draft, path, method, item, operation).fill(self._connection)
        self._left -= allowed - max(0, self._steps)
        if self._steps <= 0:
            draft.note(gettext_noop("The file is too complex: this operation was not read completely."))
        return draft

    def resolve(self, node: Any, note: Note) -> Any:
        return self._resolved(node, note)

    def _resolved(self, node: Any, note: Note, seen: tuple[str, ...] = ()) -> Any:
        """Return the target of a node's reference; circular and missing references are cut, with a note."""
        self._steps -= 1
        if self._steps <= 0:
            return None
        reference = node.get("$ref") if isinstance(node, Mapping) else None
        if not isinstance(reference, str):
            return node
        shown = printable(reference, 80)
        if reference in seen or len(seen) > 20:
            note(gettext_noop("The reference {reference} is circular, so it is cut off."), reference=shown)
            return None
        target: Any = self._top
        for part in reference[2:].split("/"):
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(target, list) and key.isascii() and key.isdigit() and len(key) < 8 and int(key) < len(target):
                target = target[int(key)]
            elif isinstance(target, Mapping) and key in target:
                target = target[key]
            else:
                note(gettext_noop("The reference {reference} points to nothing in the file."), reference=shown)
                return None
        return self._resolved(target, note, (*seen, reference))

    def _server(self) -> dict[str, str]:
        servers = self._top.get("servers")
        given = [one.get("url") for one in servers if isinstance(one, Mapping)] if isinstance(servers, list) else []
        urls = [printable(url, 300) for url in given if isinstance(url, str)]
        if not urls:
            self._note(
                gettext_noop("The file does not specify a server. Enter the address of the connection manually.")
            )
            return {}
        if len(urls) > 1:
            self._note(
                gettext_noop("The file lists {number} servers. The first is suggested: {address}"),
                number=len(urls),
                address=urls[0],
            )
        if not urls[0].startswith(("https://", "http://")) or "{" in urls[0]:
            self._note(
                gettext_noop("The server's address is not complete: {address}. Enter it manually."), address=urls[0]
            )
            return {}
        return {"base_url": urls[0]}

    def _auth(self) -> dict[str, str]:
        components = self._top.get("components")
        schemes = components.get("securitySchemes") if isinstance(components, Mapping) else None
        for given in schemes.values() if isinstance(schemes, Mapping) else ():
            scheme = self._resolved(given, self._note)
            found = _auth_of(scheme) if isinstance(scheme, Mapping) else {}
            if found:
                return found
        if schemes:
            self._note(
                gettext_noop(
                    "The file requires a sign-in method that no connection supports. Ask the system's operator for a "
                    "key or a token."
                )
            )
        return {}


def _without_note(message: str, /, **values: Value) -> None:
    """Discard a note, because the operations' own drafts contain it."""


def _auth_of(scheme: Mapping[str, Any]) -> dict[str, str]:
    match scheme.get("type"), str(scheme.get("scheme", "")).lower():
        case "http", "bearer":
            return {"auth": "bearer"}
        case "http", "basic":
            return {"auth": "basic"}
        case "mutualTLS", _:
            return {"auth": "mtls"}
        case "apiKey", _ if scheme.get("in") == "header" and HEADER.fullmatch(str(scheme.get("name"))):
            return {"auth": "header", "header": str(scheme["name"])}
        case "oauth2", _:
            flows = scheme.get("flows")
            flow = flows.get("clientCredentials") if isinstance(flows, Mapping) else None
            if isinstance(flow, Mapping):
                return {"auth": "oauth_client_credentials", "token_url": printable(flow.get("tokenUrl"), 300)}
    return {}
