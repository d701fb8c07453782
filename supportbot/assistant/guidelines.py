"""The marks by which a model names the guidelines it follows; they are read and removed before any check. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from supportbot.releases.document import Guideline

_MARK: Final = re.compile(r"[ \t]?\[[ \t]?G(\d{1,2})[ \t]?\]")
_BEGUN: Final = re.compile(r"[ \t]?(?:\[[ \t]?(?:G(?:\d{1,2}[ \t]?)?)?)?\Z")


class GuidelineMarks:
    """Removes the marks from an answer that arrives in pieces."""

    def __init__(self, given: Sequence[Guideline]) -> None:
        self._given = given
        self._held = ""  # the end of the text so far, if a mark may begin in it
        self._named: dict[int, None] = {}

    @property
    def followed(self) -> tuple[str, ...]:
        """The guidelines that were named, in the order of their first mark."""
        named = (self._given[number - 1] for number in self._named if 1 <= number <= len(self._given))
        return tuple(f"{one.when}: {one.do}" for one in named)

    def without_marks(self, text: str) -> str:
        """Return the part of the answer so far that cannot contain a mark."""
        if not self._given:
            return text
        text = _MARK.sub(self._take, self._held + text)
        begun = _BEGUN.search(text)
        end = begun.start() if begun else len(text)
        self._held = text[end:]
        return text[:end]

    def rest(self) -> str:
        """Return the text held back; the answer is complete."""
        rest, self._held = self._held, ""
        return rest

    def _take(self, found: re.Match[str]) -> str:
        self._named[int(found[1])] = None
        return ""
