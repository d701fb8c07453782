"""A definition's calls: its look-ups, and the call that carries out the action."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from django.utils.translation import gettext

from actions.definitions.bodies import Body, compile_body
from actions.definitions.errors import ExpressionError
from actions.definitions.expressions.template import Fields, PathTemplate, Template, compile_path
from actions.definitions.parsed_parts import CallTemplate
from actions.definitions.parsing.field_reader import ObjectReader, Scope

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}\??", re.ASCII)
# Headers that only the HTTP client and the connection set.
_OWN_HEADERS: Final = frozenset({
    "host", "content-length", "transfer-encoding", "connection", "authorization", "cookie", "upgrade", "te", "trailer",
    "expect", "content-type", "proxy-authorization", "keep-alive", "accept-encoding",
})  # fmt: skip
_NO_PATH: Final = PathTemplate("", ())
NO_CALL: Final = CallTemplate("GET", _NO_PATH, Fields({}), Fields({}), None)


def read_call(spec: ObjectReader | None, scope: Scope, methods: Sequence[str]) -> CallTemplate | None:
    if spec is None:
        return None
    if spec.has("tool"):
        return _tool_call(spec, scope)
    method = spec.one_of("method", methods, needed=True, default=methods[0])
    path = _path(spec, scope)
    query = _fields(spec, "query", scope, is_header=False)
    headers = _fields(spec, "headers", scope, is_header=True)
    body = _body(spec, scope, method)
    key_header = _key_header(spec, scope)
    # Compared without regard to case, as HTTP does: otherwise, the shop could get two keys, and use the one that never
    # changes.
    if key_header and key_header.lower() in {name.lower().removesuffix("?") for name in headers.templates}:
        text = gettext("The key already uses the header {header}. Leave it out here.")
        spec.add("headers", text.format(header=key_header))
    spec.close()
    return CallTemplate(method, path, query, headers, body, key_header)


def _tool_call(spec: ObjectReader, scope: Scope) -> CallTemplate:
    """Read a call to an MCP server's tool."""
    tool = spec.text("tool", most=128, pattern=r"[A-Za-z0-9_./-]+", example="create_return")
    reviewed = spec.text(
        "schema_hash", most=64, pattern=r"[0-9a-f]{64}", needed=True, example=gettext("the hash that an import writes")
    )
    body = _body(spec, scope, "POST")
    spec.close()
    return CallTemplate("POST", _NO_PATH, Fields({}), Fields({}), body, tool=tool, schema_hash=reviewed)


def _path(spec: ObjectReader, scope: Scope) -> PathTemplate:
    text = spec.raw("path")
    if text is None:
        spec.lacks("path")
        return _NO_PATH
    try:
        path = compile_path(text if isinstance(text, str) else "")
    except ExpressionError as error:
        spec.add("path", error.in_words())
        return _NO_PATH
    spec.check(path.paths(), spec.path("path"), scope)
    return path


def _fields(spec: ObjectReader, name: str, scope: Scope, *, is_header: bool) -> Fields:
    value = spec.raw(name)
    if value is not None and (not isinstance(value, Mapping) or len(value) > 30):
        spec.add(name, gettext("Write an object with at most 30 names, each with a text value."))
        return Fields({})
    found: dict[str, Template] = {}
    for key, text in (value or {}).items():
        at = f"{spec.path(name)}.{str(key)[:60]}"
        if is_header and not _HEADER_NAME.fullmatch(str(key)):
            spec.findings.add(at, gettext("A header's name can contain only letters, digits, - and _."))
        elif is_header and str(key).lower().removesuffix("?") in _OWN_HEADERS:
            spec.findings.add(at, gettext("The connection sets this header. Leave it out."))
        elif not isinstance(text, str):
            spec.findings.add(at, gettext('Write text in quotation marks, such as "{order.id}".'))
        else:
            template = spec.template(text, at, scope)
            if template is not None:
                found[str(key)] = template
    return Fields(found)


def _body(spec: ObjectReader, scope: Scope, method: str) -> Body | None:
    value = spec.raw("body")
    if value is None:
        return None
    if spec.has("method") and method in ("GET", "DELETE"):
        spec.add("body", gettext("A {method} call cannot have a body. Use query instead.").format(method=method))
        return None
    try:
        body = compile_body(value)
    except ExpressionError as error:
        spec.add("body", error.in_words())
        return None
    spec.check(body.paths(), spec.path("body"), scope)
    return body


def _key_header(spec: ObjectReader, scope: Scope) -> str:
    key = spec.object("key")
    if key is None:
        return ""
    if "key" not in scope.names:
        spec.add("key", gettext("Only an action's call has a key. A look-up may be repeated."))
    name = key.text("header", pattern=r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}", needed=True, example="Idempotency-Key")
    if name.lower() in _OWN_HEADERS:
        key.add("header", gettext("The connection sets this header. Choose another one."))
    key.close()
    return name


def carries_key(call: CallTemplate) -> bool:
    """Return whether the shop can recognise a repeated call by its key."""
    return bool(call.key_header) or any(path[0] == "key" for path in call.paths())
