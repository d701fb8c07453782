"""Notices to a customer who waits for the team, in the conversation's language, by default in English.

The texts are in `data/notices.json`, in the widget's ten languages.
"""

import json
from pathlib import Path
from typing import Final

from supportbot.language.detection import base_language

Texts = dict[str, str]
_FILE: Final = Path(__file__).parent.parent / "data" / "notices.json"
_TEXTS: Final[dict[str, Texts]] = json.loads(_FILE.read_text(encoding="utf-8"))["texts"]

TEAM_AWAY: Final = _TEXTS["team_away"]
TEAM_AWAY_WITH_ADDRESS: Final = _TEXTS["team_away_with_address"]
INVALID_ADDRESS: Final = _TEXTS["invalid_address"]
SEVERAL_ADDRESSES: Final = _TEXTS["several_addresses"]
ADDRESS_NOTED: Final = _TEXTS["address_noted"]
WAIT_TAKES_LONGER: Final = _TEXTS["wait_takes_longer"]
WAIT_TAKES_LONGER_WITH_ADDRESS: Final = _TEXTS["wait_takes_longer_with_address"]
WAIT_EXPIRED: Final = _TEXTS["wait_expired"]
MAIL_SUBJECT: Final = _TEXTS["mail_subject"]
MAIL_CLOSING: Final = _TEXTS["mail_closing"]


def localized(texts: Texts, locale: str) -> str:
    """Return the text in a locale's language; `de-AT` gives German."""
    return texts.get(base_language(locale), texts["en"])
