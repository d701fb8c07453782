"""Attacks that a case plants in the assistant's input. They exist only in memory and for this case, never in the
knowledge base. Pure.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final
from uuid import UUID

from django.utils.translation import gettext

from kb.search import Passage
from supportbot.assistant.prompts import as_data
from supportbot.assistant.tool_results import ToolResult
from supportbot.evals.errors import InvalidSuite
from supportbot.evals.suite_formats.document_values import mapping_of, only, placed, text_of

PLANT_KEYS: Final = frozenset({"article", "look_up", "name"})
_NOWHERE: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class PlantedTexts:
    """The attacker's texts: a help page, a field of a look-up, and a name for a page and a product."""

    article: str = ""
    look_up: str = ""
    name: str = ""

    @property
    def passages(self) -> tuple[Passage, ...]:
        if not self.article and not self.name:
            return ()
        text = self.article or self.name
        return (
            Passage(
                article_id=_NOWHERE, external_id="planted", title=self.name or "Planted", url="", locale="", revision=1,
                heading="", text=text, start=0, end=len(text), score=1.0, similarity=None, chunk_id=_NOWHERE,
            ),
        )  # fmt: skip

    def into(self, found: ToolResult) -> ToolResult:
        """Return the result of a look-up with the planted attack added."""
        fields = {name: text for name, text in (("note", self.look_up), ("product", self.name)) if text}
        if not fields:
            return found
        for_model = f"{found.for_model}\n{as_data(fields)}"
        return replace(found, for_model=for_model, looked_up="\n".join((found.looked_up, *fields.values())))


def plant_of(value: Any, where: str) -> PlantedTexts:
    """Return the attacks that a case plants. Raises InvalidSuite."""
    here = placed(where, "plant")
    found = mapping_of(value, here)
    only(found, PLANT_KEYS, here)
    plant = PlantedTexts(**{name: text_of(found, name, here) for name in PLANT_KEYS})
    if plant == PlantedTexts():
        raise InvalidSuite(
            placed(here, gettext("put the injected text in at least one of `article`, `look_up` and `name`."))
        )
    return plant


def planted(plant: PlantedTexts | None) -> Mapping[str, str]:
    """Return the planted attacks in the format of a document."""
    return {name: text for name, text in asdict(plant).items() if text} if plant else {}
