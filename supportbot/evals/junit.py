"""A run as JUnit XML, which CI servers show as tests."""

import re
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from supportbot.evals.labels import agreement_in, words_of
from supportbot.evals.models import Result, Run
from supportbot.evals.wording import reasons

# characters that XML 1.0 does not allow
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(run: Run) -> bytes:
    """Return the XML of a run: one test per try."""
    results = list(Result.objects.filter(run=run).order_by("key", "number"))
    failed = sum(not result.passed for result in results)
    seconds = sum(result.took_ms for result in results) / 1000
    root = Element(
        "testsuite", name=run.suite_name, tests=str(len(results)), failures=str(failed), time=f"{seconds:.3f}"
    )
    agreement = agreement_in(run)
    if agreement is not None:
        properties = SubElement(root, "properties")
        SubElement(properties, "property", name="judge", value=_printable(words_of(agreement)))
    for result in results:
        name = result.key if result.number == 1 else f"{result.key} ({result.number})"
        test = SubElement(root, "testcase", classname=run.suite_name, name=name, time=f"{result.took_ms / 1000:.3f}")
        if not result.passed:
            why = reasons(result.grades)
            failure = SubElement(test, "failure", message=_printable("; ".join(why)), type="failure")
            failure.text = _printable("\n\n".join(_told(reply) for reply in result.played["replies"]))
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _told(reply: dict[str, str]) -> str:
    return f"> {reply['said']}\n{reply['text']}"


def _printable(text: str) -> str:
    return _FORBIDDEN.sub("�", text)
