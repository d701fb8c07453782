"""What the form says of how strictly answers are checked: one plain sentence a choice, and what was measured of it."""

from dataclasses import dataclass
from typing import Final

from django.utils.html import format_html
from django.utils.safestring import SafeString

from supportbot.accounts.models import Workspace


@dataclass(frozen=True, slots=True)
class Choice:
    """`gets` is what a customer gets of an answer that the pages do not confirm; `measured` stands beside it."""

    name: str
    gets: str
    measured: str = ""

    def shown(self) -> SafeString:
        told = format_html("<span><b>{}.</b> {}", self.name, self.gets)
        figures = format_html(' <span class="muted">{}</span>', self.measured) if self.measured else ""
        return format_html("{}{}</span>", told, figures)


STRICTNESS: Final[dict[Workspace.AnswerStrictness, Choice]] = {
    Workspace.AnswerStrictness.STRICT: Choice(
        "Strict",
        "Customers never read such an answer: they get the passage that comes nearest, word for word, or read that "
        "nothing was found.",
        "Measured: of 100 faithful answers 85 are shown whole and 8 are replaced; of 100 unfaithful ones 83 are "
        "replaced and 6 lose a sentence.",
    ),
    Workspace.AnswerStrictness.BALANCED: Choice(
        "Balanced",
        "Customers read such an answer without sources, with a line that says your pages do not confirm it, and with "
        "the offer of a person.",
        "Measured: of 100 faithful answers 94 are shown whole, none is replaced and 8 carry that line; of 100 "
        "unfaithful ones 89 lose a sentence or carry it.",
    ),
    Workspace.AnswerStrictness.OPEN: Choice(
        "Open",
        "Customers read such an answer as any other.",
        "Measured: of 100 faithful answers 94 are shown whole and 6 lose a sentence; of 100 unfaithful ones 86 are "
        "shown whole.",
    ),
}
# The figures are what `python -m bench.checks FILE --strictness …` prints of these answers.
IN_ALL: Final = (
    "In all three, links, figures and promises that nothing bears out are left out of what the assistant says. A "
    "change holds from the next answer on. The figures are of 158 faithful and 35 unfaithful answers of GPT-4o, Llama "
    "3.1 and people to the questions of MTRAG, a public test; three people judged each of them."
)
