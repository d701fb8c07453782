"""The languages of the team's pages, and the one that a person sees them in.

Customers' languages are separate: texts for customers are in the language of the conversation, whoever is at the desk.
"""

from pathlib import Path
from typing import Final

from django.conf.locale import LANG_INFO
from django.utils.text import capfirst
from django.utils.translation.trans_real import parse_accept_lang_header

ENGLISH: Final = "en"
CATALOGUES: Final = Path(__file__).resolve().parent.parent / "locale" / "team"
_CODES: Final = sorted(
    path.parents[1].name.replace("_", "-").lower() for path in CATALOGUES.glob("*/LC_MESSAGES/django.mo")
)
# English and all languages with a catalogue, each with its own name.
TEAM_LANGUAGES: Final = {
    code: capfirst(str(LANG_INFO.get(code, {}).get("name_local", code))) for code in (ENGLISH, *_CODES)
}


def team_language(chosen: str, accepted: str = "") -> str:
    """Return the language of a person's pages: the one they chose or, if they chose none, the first that their browser
    accepts.

    `accepted` is the header Accept-Language. If neither yields one of `TEAM_LANGUAGES`, the language is English.
    """
    if chosen in TEAM_LANGUAGES:
        return chosen
    tags = (tag for tag, _ in parse_accept_lang_header(accepted.lower()))
    wanted = (language for tag in tags for language in (tag, tag.partition("-")[0]))
    return next((language for language in wanted if language in TEAM_LANGUAGES), ENGLISH)
