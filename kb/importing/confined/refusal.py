"""Codes that say why a file cannot be read or what was left out of it; the caller puts them into words."""

from typing import Final

MOST_QUOTED: Final = 400  # characters of the file's text in a note


class Refused(Exception):
    """This file cannot be read; `code` and `values` say why."""

    def __init__(self, code: str, **values: object) -> None:
        super().__init__(code)
        self.code = code
        self.values = values


class Notes:
    """Notes on the result for people to read, in order of first mention."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, object]] = {}

    def add(self, code: str, **values: object) -> None:
        self._values.setdefault(code, values)

    def as_json(self) -> list[dict[str, object]]:
        return [{"code": code, "values": values} for code, values in self._values.items()]


def shortened(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= MOST_QUOTED else f"{words[: MOST_QUOTED - 1].rstrip()}…"
