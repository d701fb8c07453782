"""Notices that customers read: before the first answer (EU AI Act, Article 50), and at the end of a conversation."""

import json
from pathlib import Path
from typing import Final

from supportbot.language.detection import base_language

_FILE: Final = Path(__file__).with_name("data") / "notices.json"
_TEXTS: Final[dict[str, dict[str, str]]] = json.loads(_FILE.read_text(encoding="utf-8"))["texts"]
_NOTICES: Final = _TEXTS["ai"]
_ENDED: Final = _TEXTS["ended"]


def ai_notice(locale: str) -> str:
    """Return the notice in the language of a locale, or in English if we have no other."""
    return _NOTICES.get(base_language(locale), _NOTICES["en"])


def end_notice(locale: str) -> str:
    """Return the notice that the customer has ended the conversation, in English if we have no other language."""
    return _ENDED.get(base_language(locale), _ENDED["en"])
