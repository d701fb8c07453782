"""`manage.py kb_search QUERY`: search as for a customer's question."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop, ngettext

from kb.access import Viewer
from kb.models import Audience
from kb.search import Passage, search
from kb.validation import check_locale
from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import Workspace
from supportbot.language.terminal_text import for_terminal


class Command(WorkspaceCommand):
    help = gettext_noop("Search the knowledge base as a reader would, and print the passages, best first.")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("query")
        parser.add_argument("-k", type=positive, default=8, metavar="N", help=gettext("passages to print (8)"))
        parser.add_argument("--audience", choices=Audience.values, default=Audience.PUBLIC.value)
        parser.add_argument("--locale", default=None, help=gettext("preferred language, such as en or de-AT"))

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        if not options["query"].strip():
            raise CommandError(gettext("The question is empty. Enter what to search for."))
        locale = check_locale(options["locale"]) if options["locale"] else None
        viewer = Viewer(options["audience"], locale)
        found = search(options["query"], viewer=viewer, limit=options["k"])
        return {
            "query": options["query"],
            "took_ms": round(found.took_ms, 1),
            "confidence": round(found.confidence, 3),
            "answerable": found.is_answerable,
            "passages": [_facts(passage) for passage in found.passages],
        }

    def words(self, facts: dict[str, Any]) -> str:
        verdict = gettext("contains an answer") if facts["answerable"] else gettext("probably contains no answer")
        count = len(facts["passages"])
        head = ngettext(
            "{number} passage in {milliseconds} ms; {verdict} ({confidence})",
            "{number} passages in {milliseconds} ms; {verdict} ({confidence})",
            count,
        ).format(number=count, milliseconds=facts["took_ms"], verdict=verdict, confidence=facts["confidence"])
        return "\n\n".join([head, *map(_in_words, facts["passages"])])


def positive(text: str) -> int:
    """Parse a count of at least 1; argparse turns the ValueError into a sentence."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _facts(passage: Passage) -> dict[str, Any]:
    return {
        "article": str(passage.article_id),
        "external_id": passage.external_id,
        "title": passage.title,
        "heading": passage.heading,
        "score": round(passage.score, 4),
        "text": passage.text,
        "start": passage.start,
        "end": passage.end,
        "revision": passage.revision,
        "page": passage.page,
    }


def _in_words(passage: dict[str, Any]) -> str:
    heading = f" > {passage['heading']}" if passage["heading"] else ""
    shown = " ".join(for_terminal(passage["text"]).split())
    return f"{passage['score']:.3f}  {passage['title']}{heading} [{passage['external_id']}]\n       {shown[:200]}"
