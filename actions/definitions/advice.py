"""Warnings about what a definition may say but probably does not mean, and why something else is missing. The editor
shows them; nothing is refused here.
"""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext

from actions.definitions.document import reasons
from actions.definitions.errors import ExpressionError, ExpressionFailed
from actions.definitions.expression import compile_expression

_SERVER_ERRORS: Final = (500, 502, 503, 504)
_READ: Final = ("answer", "outcome")


def advice(document: Mapping[str, Any]) -> list[str]:
    """Return the warnings about a document, in the language of the page."""
    server_errors = [
        gettext(
            "{path} treats a server error as proof that nothing happened, but a server may fail after doing the work. "
            "Leave out statuses from 500 on, so that the outcome is checked."
        ).format(path=f"{part}.did_not")
        for part in _READ
        if _takes_server_errors(document.get(part))
    ]
    return [*reasons(document), *server_errors]


def _takes_server_errors(rules: Any) -> bool:
    text = rules.get("did_not") if isinstance(rules, Mapping) else None
    if not isinstance(text, str):
        return False
    try:
        rule = compile_expression(text)
    except ExpressionError:  # the editor says so at its field
        return False
    return any(_holds(rule, status) for status in _SERVER_ERRORS)


def _holds(rule: Any, status: int) -> bool:
    """Return whether a rule holds for an answer with this status and nothing else."""
    try:
        return bool(rule.holds({"status": status, "body": {}, "headers": {}}))
    except (ExpressionFailed, KeyError):
        return False
