"""Making drafts from an MCP server's tools, given the result of `tools/list`. Pure: no calls are made. A server's
description of its tools is not trusted: a tool that claims to be read-only is a write until a person says otherwise,
its texts are suggestions, and it is called at most once. The `fingerprint` shows when a tool has changed since it was
reviewed.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext, gettext_noop

from actions.connections.tool_fingerprints import fingerprint
from actions.deferred_text import DeferredText
from actions.definitions.importing.bounded_parsing import InvalidFile
from actions.definitions.importing.customer_fields import (
    OF_IDENTITY,
    check_identity,
    check_names,
    names_customer,
    suggest_identity,
    value_in_body,
)
from actions.definitions.importing.drafts import Draft, Imported, Names, humanised, printable, snake
from actions.definitions.importing.json_schema import TOO_MANY, Note, declared, properties_of
from actions.definitions.importing.records import noun_of_id

MAX_TOOLS: Final = 500
MAX_SCHEMA: Final = 200_000  # characters in one tool's schema
_MAX_ARGUMENTS: Final = 30
_MAX_STEPS: Final = 3_000
_MAX_KEPT: Final = 5  # rows of a receipt
_NAME: Final = re.compile(r"[A-Za-z0-9_./-]{1,128}", re.ASCII)
_PATH: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}", re.ASCII)
_PLAIN: Final = ("string", "integer", "number", "boolean")


def read_tools(result: Any, connection: str = "") -> Imported:
    """Return a draft for each tool of one `tools/list` result; raises InvalidFile if it is something else. Each draft
    calls its tool by the server's name for it, and stores the tool's fingerprint as `schema_hash`.
    """
    tools = result.get("tools") if isinstance(result, Mapping) else None
    if not isinstance(tools, list):
        raise InvalidFile(gettext('The server\'s response has no "tools" list.'))
    notes: list[DeferredText] = []
    if len(tools) > MAX_TOOLS:
        offered = gettext_noop("The server has {number} tools; only the first {most} are listed here.")
        notes.append(DeferredText(offered, number=len(tools), most=MAX_TOOLS))
    names = Names()
    readers = _readers(tools[:MAX_TOOLS])
    drafts: list[Draft] = []
    for place, tool in enumerate(tools[:MAX_TOOLS]):
        draft = _draft(tool, connection, names)
        if isinstance(draft, Draft):
            _suggest_records(draft, readers)
            drafts.append(draft)
        else:
            left_out = gettext_noop("Tool {number} is left out: {why}")
            notes.append(DeferredText(left_out, number=place + 1, why=draft))
    return Imported("", drafts, notes[:30], {})


@dataclass(frozen=True, slots=True)
class _Reader:
    """A tool that claims to be read-only and takes only the id of one record."""

    tool: str
    field: str  # the server's name for its argument


def _readers(tools: Sequence[Any]) -> dict[str, _Reader]:
    """Return, by a record's noun (visit, for visit_id), the tool that reads one such record by its id."""
    found: dict[str, _Reader] = {}
    for tool in tools:
        hints, schema = (
            (tool.get("annotations"), tool.get("inputSchema")) if isinstance(tool, Mapping) else (None, None)
        )
        given = schema.get("properties") if isinstance(schema, Mapping) else None
        only = next(iter(given)) if isinstance(given, Mapping) and len(given) == 1 else ""
        claims = isinstance(hints, Mapping) and hints.get("readOnlyHint") is True
        name = tool.get("name") if isinstance(tool, Mapping) else None
        if claims and isinstance(only, str) and noun_of_id(only) and isinstance(name, str) and _NAME.fullmatch(name):
            found.setdefault(noun_of_id(only), _Reader(name, only))
    return found


def _suggest_records(draft: Draft, readers: Mapping[str, _Reader]) -> None:
    """Suggest the look-up of the record that a tool's arguments refer to, and the identity for an id that nothing can
    be looked up by. A suggestion takes effect only when a person accepts it.
    """
    arguments = {name: one for name, one in draft.document["arguments"].items() if one.get("from") != "identity"}
    nouns = {noun_of_id(name) for name in arguments} - {""}
    # If one argument is the id of a record that can be read, an id of something else may identify the owner.
    suggest_identity(draft, arguments, nouns - readers.keys() if nouns & readers.keys() else ())
    named = next(((name, noun) for name in arguments if (noun := noun_of_id(name)) in readers), None)
    if named is None or readers[named[1]].tool == draft.document["call"]["tool"]:
        return
    argument, noun = named
    reader = readers[noun]
    body = json.dumps({reader.field: f"{{arguments.{argument}}}"})
    for path, text in (("name", noun), ("call.tool", reader.tool), ("call.body", body)):
        draft.suggest(f"lookups[0].{path}", text)
    draft.suggest("subject.kind", noun)


def changed_tools(reviewed: Mapping[str, str], result: Any) -> Sequence[str]:
    """Return the names of reviewed tools that are gone or have changed; `reviewed` maps a name to its fingerprint. If
    the response is not a list of tools, all tools count as changed.
    """
    tools = result.get("tools") if isinstance(result, Mapping) else None
    now: dict[str, str] = {}
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, Mapping) and isinstance(tool.get("name"), str):
            # If two tools share a name, it is unknown which one is called.
            now[tool["name"]] = "" if tool["name"] in now else _safe_fingerprint(tool)
    return [name for name, known in reviewed.items() if now.get(name) != known]


def _safe_fingerprint(tool: Mapping[str, Any]) -> str:
    try:
        return fingerprint(tool)
    except (RecursionError, ValueError, TypeError):
        return ""


def _draft(tool: Any, connection: str, names: Names) -> Draft | DeferredText:
    """Return a tool's draft, or the reason why there is none."""
    if not isinstance(tool, Mapping) or not isinstance(tool.get("name"), str) or not _NAME.fullmatch(tool["name"]):
        return DeferredText(gettext_noop("it has no usable name."))
    own = tool["name"]
    schema = tool.get("inputSchema")
    try:
        if not isinstance(schema, Mapping) or len(json.dumps(schema)) > MAX_SCHEMA:
            return DeferredText(
                gettext_noop("{tool} has no schema for its arguments, or its schema is too large."), tool=own
            )
        known = fingerprint(tool)
    except (RecursionError, ValueError, TypeError):
        return DeferredText(gettext_noop("{tool} has a schema that cannot be read."), tool=own)
    name = names.free(snake(own, 56) or "tool")
    draft = Draft({"format": 1, "name": name, "kind": "write", "title": {"en": humanised(name)[:80]}}, f"tool {own}")
    if connection:
        draft.document["connection"] = connection
    draft.suggest("title.en", tool.get("title"))
    draft.suggest("description.en", tool.get("description"))
    _note_claims(tool, draft)
    draft.document["arguments"], sent = _arguments(schema, draft)
    draft.document |= {
        "call": {"tool": own, "schema_hash": known} | ({"body": sent} if sent else {}),
        # A tool's own error says that the tool failed, not that nothing happened, so `did_not` is left to a person.
        "answer": {"happened": "status == 200 and not (has(body.isError) and body.isError)"},
        "outcome": {"kind": "at_most_once"},
        "card": {"title": dict(draft.document["title"])},
    }
    if kept := _kept(tool.get("outputSchema"), draft):
        draft.document["receipt"] = kept
    return draft


def _kept(schema: Any, draft: Draft) -> list[dict[str, Any]]:
    """Return the plain fields of a tool's structured result as rows of a receipt."""
    if not isinstance(schema, Mapping):
        return []
    resolve, names = _Local(schema), Names()
    rows: list[dict[str, Any]] = []
    for own, one in properties_of(schema, "result", resolve, draft.note)[0].items():
        found = resolve(one, draft.note)
        is_plain = isinstance(found, Mapping) and found.get("type") in _PLAIN and _PATH.fullmatch(own)
        if is_plain and not names_customer(own, one) and len(rows) < _MAX_KEPT:
            name = names.free(snake(own) or "value")
            value = f"body.structuredContent.{own}"
            rows.append({"name": name, "label": {"en": humanised(name)}, "value": value})
    return rows


def _note_claims(tool: Mapping[str, Any], draft: Draft) -> None:
    hints = tool.get("annotations")
    claimed = [name for name, value in hints.items() if value is True] if isinstance(hints, Mapping) else []
    if claimed:
        shown = ", ".join(printable(name, 40) for name in claimed[:5])
        draft.note(
            gettext_noop(
                "The server's hints about this tool: {hints}. The tool is still treated as a write and called at "
                "most once. If it only reads, select that under Basics, What it does."
            ),
            hints=shown,
        )
    if "readOnlyHint" in claimed and "destructiveHint" not in claimed:
        draft.suggest("kind", "read")


def _arguments(schema: Mapping[str, Any], draft: Draft) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the declared arguments, and what is sent to the tool under its own names."""
    resolve = _Local(schema)
    properties, required = properties_of(schema, "arguments", resolve, draft.note)
    names = Names("money")
    arguments: dict[str, Any] = {}
    sent: dict[str, str] = {}
    for own, one in properties.items():
        if len(arguments) == _MAX_ARGUMENTS:
            draft.note(TOO_MANY, most=_MAX_ARGUMENTS, name=printable(own, 40))
            continue
        name = names.free(snake(own, 36) or "argument")
        if names_customer(own, one):
            arguments[name] = dict(OF_IDENTITY)
            check_identity(draft, name)
            sent[own] = value_in_body(name, arguments[name], resolve(one, draft.note))
            continue
        spec = declared(one, name, resolve, draft.note)
        check_names(draft, name, own, spec)
        arguments[name] = spec if own in required else {**spec, "required": False}
        sent[own if own in required else f"{own}?"] = f"{{arguments.{name}}}"
        draft.suggest(f"arguments.{name}.description", one.get("description") if isinstance(one, Mapping) else None)
    return arguments, sent


class _Local:
    """A resolver of references within one tool's schema, with a limited number of steps."""

    def __init__(self, top: Mapping[str, Any]) -> None:
        self._top = top
        self._steps = _MAX_STEPS

    def __call__(self, node: Any, note: Note) -> Any:
        for _ in range(20):
            self._steps -= 1
            reference = node.get("$ref") if isinstance(node, Mapping) else None
            if self._steps <= 0 or not isinstance(reference, str):
                return node if self._steps > 0 else None
            node = self._target(reference)
            if node is None:
                break
        note(
            gettext_noop(
                "The reference {reference} is circular or points to nothing in this schema, so it is cut off."
            ),
            reference=printable(reference, 80),
        )
        return None

    def _target(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            return None
        target: Any = self._top
        for part in reference[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(target, Mapping) or key not in target:
                return None
            target = target[key]
        return target
