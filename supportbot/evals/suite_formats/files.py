"""Reads suites from YAML, JSON or JSON Lines: in our own format, promptfoo's or deepeval's, as questions of `kb_eval`,
or as rows of our benchmarks. Writes suites and cases as YAML, so that people can edit them and keep them in a
repository.

The format is recognised by the content, not by the file's name. In JSON Lines, each line is a case. The suite's name
comes from the key `suite` in the first line, otherwise from the file's name.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from django.utils.translation import gettext

from actions.definitions.importing.bounded_parsing import InvalidFile, check_depth, read_structure
from supportbot.evals.errors import InvalidSuite
from supportbot.evals.retail import task_files
from supportbot.evals.suite_formats import benchmark_files, foreign_suites
from supportbot.evals.suite_formats.document_values import placed
from supportbot.evals.suite_formats.own_format import (
    Case,
    Suite,
    case_document,
    parse_case,
    parse_suite,
    suite_document,
)

MAX_BYTES: Final = 4_000_000
SHIPPED: Final = Path(__file__).parent.parent / "suites"
_NOT_IN_NAME: Final = re.compile(r"[^a-z0-9_-]+")


def read_suite_file(path: Path) -> Suite:
    """Return the suite in a file. Raises InvalidSuite if the file cannot be read or is invalid."""
    try:
        data = path.read_bytes()
    except OSError as error:
        problem = gettext("the file cannot be read: {problem}.").format(problem=error.strerror or error)
        raise InvalidSuite(f"{path.name}: {problem}") from error
    return read_suite(data, file=path.name)


def shipped_suites() -> list[str]:
    """Return the names of the suites that come with the product."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def read_suite(data: bytes, *, file: str) -> Suite:
    """Return the suite in a file's bytes. Raises InvalidSuite, which names the file, the case and the key."""
    if len(data) > MAX_BYTES:
        problem = gettext("the file has more than {most} MB.").format(most=MAX_BYTES // 1_000_000)
        raise InvalidSuite(placed(file, problem))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidSuite(placed(file, gettext("the file is not UTF-8 text."))) from error
    found = structure_of(text, file)
    if found is None:
        raise InvalidSuite(placed(file, gettext("the file is empty.")) if file else gettext("the text is empty."))
    name = _NOT_IN_NAME.sub("-", Path(file).stem.lower()).strip("-_")[:60] or "suite"
    if task_files.is_tasks(found):
        found = task_files.as_suite(found, name=name, file=file)
    elif foreign_suites.is_deepeval(found):
        found = foreign_suites.suite_of_deepeval(found, name=name, file=file)
    elif foreign_suites.is_promptfoo(found):
        found = foreign_suites.suite_of_promptfoo(found, name=name, file=file)
    elif benchmark_files.is_bench_rows(found):
        found = benchmark_files.suite_of_bench_rows(found, name=name, file=file)
    elif benchmark_files.is_questions(found):
        found = benchmark_files.suite_of_questions(found, name=name, file=file)
    elif isinstance(found, list):
        found = _from_lines(found, name)
    return parse_suite(found, file=file)


def structure_of(text: str, file: str = "") -> Any:
    """Return the value of YAML or JSON; for JSON Lines, a list of values. Raises InvalidSuite."""
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        if len(lines) < 2 or not all(line.lstrip().startswith("{") for line in lines):
            return read_structure(text)
        rows = [_line(line, file, number) for number, line in enumerate(lines, 1)]
        check_depth(rows)
        return rows
    except InvalidFile as error:
        raise InvalidSuite(placed(file, error.message)) from error


def _line(line: str, file: str, number: int) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        problem = gettext("line {number} is not valid JSON.").format(number=number)
        raise InvalidSuite(placed(file, problem)) from error


def _from_lines(rows: list[Any], name: str) -> Mapping[str, Any]:
    head = rows[0] if rows and isinstance(rows[0], Mapping) and "suite" in rows[0] else None
    return {"suite": name, **(head or {}), "cases": rows[1:] if head else rows}


def suite_as_yaml(suite: Suite) -> str:
    return as_yaml(suite_document(suite))


def case_as_yaml(case: Case) -> str:
    return as_yaml(case_document(case))


def as_yaml(document: Mapping[str, Any]) -> str:
    written: str = yaml.safe_dump(dict(document), allow_unicode=True, sort_keys=False, width=100)
    return written


def case_from_yaml(text: str) -> Case:
    """Return the case described by YAML. Raises InvalidSuite."""
    found = structure_of(text)
    if found is None:
        raise InvalidSuite(gettext("the text is empty."))
    if not isinstance(found, Mapping) or not str(found.get("id", "")).strip():
        return parse_case({"id": "new", **found} if isinstance(found, Mapping) else found)
    return parse_case(found)
