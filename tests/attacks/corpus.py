"""The attack rows: our own next to this file, and a larger corpus in the folder named by ATTACK_DATA.

A row describes an attempt, and in `must` the conditions that have to hold; the corpus' `must.json` explains the codes.
Each set has its own world (`world.json`) with other names, ids, amounts and currencies, so that no defence depends on
names.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

OWN: Final = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """One attack. `raw` is the row with its shorthands expanded."""

    id: str
    kind: str
    must: frozenset[str]
    raw: dict[str, Any]
    folder: Path

    @property
    def world(self) -> dict[str, Any]:
        return _world(self.folder)


@cache
def _world(folder: Path) -> dict[str, Any]:
    world: dict[str, Any] = json.loads((folder / "world.json").read_text(encoding="utf-8"))
    return world


def folders() -> list[Path]:
    """Return our own folder, and the corpus if there is one."""
    named = os.environ.get("ATTACK_DATA", "")
    return [OWN, *([Path(named)] if named else [])]


def rows(name: str) -> list[Any]:
    """Return the rows of a file as pytest parameters."""
    return [pytest.param(row, id=row.id) for folder in folders() for row in _read(folder, name)]


def _read(folder: Path, name: str) -> Iterator[Row]:
    path = folder / f"{name}.jsonl"
    if not path.exists():  # our own folder does not have every file
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        raw = _written_out(json.loads(line))
        yield Row(raw["id"], raw.get("kind", ""), frozenset(raw["must"]), raw, folder)


def _written_out(value: Any) -> Any:
    """Return a value with `$repeat`, `$concat`, `$text` and `$times` expanded."""
    if isinstance(value, list):
        return [entry for item in value for entry in _times(item)]
    if not isinstance(value, dict):
        return value
    match value:
        case {"$text": text}:
            return text
        case {"$repeat": [part, times]}:
            return part * times
        case {"$concat": parts}:
            return "".join(_written_out(part) for part in parts)
    return {key: _written_out(entry) for key, entry in value.items()}


def _times(item: Any) -> list[Any]:
    if isinstance(item, dict) and "$times" in item:
        items = item.get("items") or [item["item"]]
        return [_written_out({**entry, "is_repeated": True}) for entry in items] * item["$times"]
    return [_written_out(item)]
