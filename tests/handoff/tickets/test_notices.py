"""Notices to waiting customers: each in every language of the widget, with the same places for values."""

import json
import re
from pathlib import Path

import pytest

from supportbot.handoff.tickets import notices

WIDGET = Path(notices.__file__).parent.parent.parent / "widget" / "frontend" / "src" / "languages"
STORED = json.loads((Path(notices.__file__).parent.parent / "data" / "notices.json").read_text())["texts"]


@pytest.mark.parametrize("name", sorted(STORED))
def test_a_notice_is_there_in_every_language_of_the_widget(name: str) -> None:
    texts = STORED[name]
    assert texts.keys() == {file.stem for file in WIDGET.glob("*.js")}
    assert len({tuple(sorted(re.findall(r"{\w+}", text))) for text in texts.values()}) == 1
    assert len(set(texts.values())) == len(texts)


def test_a_region_gets_its_language_and_an_unknown_one_english() -> None:
    assert notices.localized(notices.TEAM_AWAY, "fr-CA").startswith("Notre équipe")
    assert notices.localized(notices.TEAM_AWAY, "sv").startswith("Our team")
