"""The three levels of strictness, each with what it means for customers and what was measured."""

from dataclasses import dataclass
from typing import Final

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from supportbot.releases.document import Strictness


@dataclass(frozen=True, slots=True)
class Choice:
    """`gets` says what customers see instead of an unconfirmed answer; `measured` is shown next to it."""

    name: str
    gets: str
    measured: str = ""

    def shown(self) -> SafeString:
        label = format_html("<span><b>{}.</b> {}", gettext(self.name), gettext(self.gets))
        figures = format_html(' <span class="muted">{}</span>', gettext(self.measured)) if self.measured else ""
        return format_html("{}{}</span>", label, figures)


STRICTNESS: Final[dict[Strictness, Choice]] = {
    "strict": Choice(
        gettext_noop("Strict"),
        gettext_noop(
            "Customers never see such an answer. They get the closest passage word for word, or are told that nothing "
            "was found."
        ),
        gettext_noop(
            "Measured: of 100 faithful answers, 85 are shown in full and 8 are replaced; of 100 unfaithful ones, 83 "
            "are replaced and 6 lose a sentence."
        ),
    ),
    "balanced": Choice(
        gettext_noop("Balanced"),
        gettext_noop(
            "Customers see such an answer without sources, with a note that your articles do not confirm it and an "
            "offer to talk to a person."
        ),
        gettext_noop(
            "Measured: of 100 faithful answers, 94 are shown in full and 6 lose a sentence; 8 of the 100 carry that "
            "note. Of 100 unfaithful ones, 89 lose a sentence, carry the note, or both."
        ),
    ),
    "open": Choice(
        gettext_noop("Open"),
        gettext_noop("To customers, such an answer looks like any other."),
        gettext_noop(
            "Measured: of 100 faithful answers, 94 are shown in full and 6 lose a sentence; of 100 unfaithful ones, 86 "
            "are shown in full."
        ),
    ),
}
# The figures come from `python -m bench.checks FILE --strictness …` for these answers.
IN_ALL: Final = _(
    "With every setting, the assistant leaves out links, figures and promises that have no evidence. A change "
    "applies from the next answer. These results come from the public benchmark MTRAG: three people each judged 158 "
    "faithful and 35 unfaithful answers, written by GPT-4o, Llama 3.1 and people."
)
