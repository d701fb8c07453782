"""Notices to waiting customers: each in every language, with the same placeholders."""

import pytest

from supportbot.handoff.tickets import notices
from supportbot.translation import LANGUAGES, text_in

NOTICES = sorted(name for name in vars(notices) if name.isupper())


@pytest.mark.parametrize("name", NOTICES)
def test_a_notice_exists_in_every_language(name: str) -> None:
    values = {"address": "a@example.com", "workspace": "Wrenfell", "agent": "Bob", "hours": "9–18"}
    texts = {text_in(language, getattr(notices, name), **values) for language in LANGUAGES}
    assert len(texts) == len(LANGUAGES) and not any("{" in text for text in texts)


def test_a_region_gets_its_language_and_an_unknown_one_english() -> None:
    assert text_in("fr-CA", notices.TEAM_AWAY).startswith("Notre équipe")
    assert text_in("sv", notices.TEAM_AWAY).startswith("Our team")
