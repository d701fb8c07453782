"""Functions that run `kb_import` and return its report, or the article that it makes of a file."""

import io
import json
from pathlib import Path
from typing import Any

from django.core.management import CommandError, call_command

from kb.models import Article


def run(*arguments: object, **options: object) -> dict[str, Any]:
    """Run the command and return its report, even if items failed."""
    out, errors = io.StringIO(), io.StringIO()
    try:
        call_command("kb_import", *map(str, arguments), "--json", stdout=out, stderr=errors, **options)
    except CommandError as error:
        ending = "would not be imported" if options.get("dry_run") else "were not imported"
        assert ending in str(error)
    report: dict[str, Any] = json.loads(out.getvalue())
    return report


def counts(report: dict[str, Any]) -> tuple[int, int, int, int]:
    return report["new"], report["updated"], report["unchanged"], report["failed"]


def failures(report: dict[str, Any]) -> dict[str, str]:
    return {Path(item["origin"]).name: item["message"] for item in report["items"] if item["outcome"] == "failed"}


def body_of(content: bytes, folder: Path, name: str = "file.pdf") -> str:
    """Import a file and return the body of its article."""
    (folder / name).write_bytes(content)
    assert failures(run(folder / name)) == {}
    revision = Article.objects.get(external_id=name).live_revision
    assert revision is not None
    return revision.body
