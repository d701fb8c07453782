"""Functions that run the commands for sources and return their reports."""

import io
import json
from typing import Any

from django.core.management import call_command

from kb.models import Article, State

COUNTS = ("new", "changed", "unchanged", "gone", "broken", "left_out")


def command(name: str, *args: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command(name, *args, "--json", stdout=out, stderr=io.StringIO())
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


def add(address: Any, *args: str) -> dict[str, Any]:
    return command("source_add", str(address), "--delay", "0", *args)


def again(*args: str) -> dict[str, Any]:
    told: dict[str, Any] = command("source_sync", *args)["sources"][0]
    return told


def counts(told: dict[str, Any]) -> tuple[int, ...]:
    return tuple(told[name] for name in COUNTS)


def reasons(told: dict[str, Any]) -> dict[str, str]:
    return {item["key"].rpartition("/")[2]: item["reason"] for item in told["items"]}


def live() -> set[str]:
    return set(Article.objects.filter(state=State.LIVE).values_list("live_revision__title", flat=True))
