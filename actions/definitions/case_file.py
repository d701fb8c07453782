"""Recorded cases as a file: a JSON list, to keep next to the definition in Git."""

import json
from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext

from actions.definitions.cases import RecordedCase, keep_case
from actions.definitions.models import ActionDefinition, DefinitionCase
from supportbot.errors import InvalidInput

_TEXTS: Final = ("name", "sub", "expected", "email")
_OBJECTS: Final = ("arguments", "records")
_FIELDS: Final = (*_TEXTS, *_OBJECTS, "at")


@transaction.atomic
def keep_cases(definition: ActionDefinition, text: str, *, actor: str) -> int:
    """Record every case of a file, replacing cases with the same names; return their number. Raises InvalidInput with
    the errors of the first invalid case.
    """
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(gettext("The case file is not valid JSON.")) from error
    if not isinstance(given, list) or not all(isinstance(one, Mapping) for one in given):
        raise InvalidInput(gettext("Write a list of cases: [{...}]."))
    known = dict(DefinitionCase.objects.filter(definition=definition).values_list("name", "id"))
    for place, one in enumerate(given):
        case = _recorded_case(one, place)
        known[case.name] = keep_case(definition, case, actor=actor, replaced=known.get(case.name)).pk
    return len(given)


def _recorded_case(one: Mapping[str, Any], place: int) -> RecordedCase:
    wrong = {f"[{place}].{name}": [gettext("There is no such field.")] for name in map(str, one) if name not in _FIELDS}
    wrong |= {
        f"[{place}].{name}": [gettext("Write text.")] for name in _TEXTS if not isinstance(one.get(name, ""), str)
    }
    wrong |= {
        f"[{place}].{name}": [gettext("Write an object: {...}.")]
        for name in _OBJECTS
        if not isinstance(one.get(name, {}), Mapping)
    }
    at = parse_datetime(one["at"]) if isinstance(one.get("at"), str) else None
    if one.get("at") is not None and (at is None or at.tzinfo is None):
        wrong[f"[{place}].at"] = [gettext("Write a time with its offset, such as 2026-05-31T10:00:00Z.")]
    if wrong:
        raise InvalidInput(fields=wrong)
    texts = {name: one.get(name, "") for name in _TEXTS}
    return RecordedCase(**texts, arguments=one.get("arguments", {}), records=one.get("records", {}), at=at)
