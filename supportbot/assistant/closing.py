"""How an answer ends when tools have spoken: with words of ours behind, or in place of, the model's. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from supportbot.assistant.calls import ToolResult
from supportbot.chat.answers import Answer


def closed(
    said: Answer,
    results: Sequence[ToolResult],
    looked_up: Sequence[str],
    blocks: tuple[Mapping[str, Any], ...] = (),
) -> Answer:
    """Return the answer with the closing words of its last calls; of the model's only those with a source stay.

    Without closing words, an answer that says nothing of what was looked up becomes just that. Either way a person is
    offered where a call says so. The buttons and forms stay where the question that they belong to does.
    """
    offers_human = any(result.offers_human for result in results)
    closings = list(dict.fromkeys(result.closing for result in results if result.closing))
    if not closings and said.is_abstention:
        closings = list(dict.fromkeys(looked_up))
    if not closings:
        asked = () if said.is_abstention else blocks
        return replace(said, offers_human=said.offers_human or offers_human, blocks=asked)
    before = said.text if said.citations else ""
    new = [closing for closing in closings if closing not in before]
    text = "\n\n".join(part for part in (before, *new) if part)
    return replace(said, text=text, is_abstention=False, offers_human=offers_human)
