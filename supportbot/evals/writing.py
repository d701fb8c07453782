"""Suites and cases as YAML, for people to edit and to keep in a repository."""

from collections.abc import Mapping
from typing import Any

import yaml

from supportbot.evals.documents import Case, Suite, case_document, parse_case, suite_document
from supportbot.evals.reading import structure_of


def suite_as_yaml(suite: Suite) -> str:
    return as_yaml(suite_document(suite))


def case_as_yaml(case: Case) -> str:
    return as_yaml(case_document(case))


def as_yaml(document: Mapping[str, Any]) -> str:
    written: str = yaml.safe_dump(dict(document), allow_unicode=True, sort_keys=False, width=100)
    return written


def case_from_yaml(text: str) -> Case:
    """Return the case described by a YAML text. Raises InvalidSuite."""
    found = structure_of(text)
    if not isinstance(found, Mapping) or not str(found.get("id", "")).strip():
        return parse_case({"id": "new", **found} if isinstance(found, Mapping) else found)
    return parse_case(found)
