"""docs/actions.md explains how to add an action; its example must work, and the test in it runs here."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from actions import catalogue
from actions.registry import all_actions, code_actions
from supportbot.builtin.phrases import phrase_in
from tests.builtin.action_chat import Chat

_GUIDE = (settings.BASE_DIR / "docs/actions.md").read_text()
_ACTION, _TEST = re.findall(r"```python\n(.*?)```", _GUIDE, re.DOTALL)


@pytest.fixture(autouse=True)
def in_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Add the guide's action to the catalogue for the test."""
    (tmp_path / "keep_for_less.py").write_text(_ACTION)
    monkeypatch.setattr(catalogue, "__path__", [*catalogue.__path__, str(tmp_path)])
    code_actions.cache_clear()
    yield
    code_actions.cache_clear()
    sys.modules.pop("actions.catalogue.keep_for_less", None)


exec(compile(_TEST, "docs/actions.md", "exec"))  # its test functions become this module's


@pytest.mark.long
def test_the_built_in_answerer_detects_the_guides_examples() -> None:
    (example,) = re.findall(r'and write "([^"]+)":\s+the built-in', _GUIDE)
    examples = all_actions()["keep_for_less"].examples
    for locale, text in [("en", example), *((locale, text) for locale, texts in examples.items() for text in texts)]:
        chat = Chat(locale=locale)
        words, calls = chat.send(text)
        if phrase_in(words) == "meant":
            words, calls = chat.send("yes please")
        missing = ("It has a scratch.",) if "WF-20404" in text else ("WF-20404", "It has a scratch.")
        for answer in missing:  # the customer is asked for the order and the reason
            if not calls:
                words, calls = chat.send(answer)
        assert [name for name, *_ in calls] == ["keep_for_less"], (text, words)
