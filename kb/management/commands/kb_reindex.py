"""`manage.py kb_reindex`: rebuild the index, for a different embedding model or after an upgrade."""

import time
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext, gettext_noop

from kb.indexing.embedding import NoVectors
from kb.indexing.recipes import spec_of
from kb.indexing.reindex import reindex, wanted_recipe
from kb.indexing.vector_file import VectorFile, VectorFileClosed
from kb.terminal_progress import ProgressLine
from supportbot.accounts.commands import ProductCommand
from supportbot.commands import a_path


class Command(ProductCommand):
    help = gettext_noop(
        "Index every workspace with the model chosen in the console or by KB_EMBEDDER. Search uses the old index "
        "until the new one is complete. An interrupted run continues where it stopped."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--vectors",
            metavar="FILE",
            type=a_path,
            help=gettext("read vectors from this file, and add new ones to it"),
        )

    def facts(self, options: dict[str, Any]) -> dict[str, Any]:
        started = time.monotonic()
        recipe = spec_of(wanted_recipe())
        known = VectorFile(options["vectors"], recipe) if options["vectors"] else NoVectors()
        try:
            with ProgressLine(self.stderr, gettext("embedding passages")) as progress:
                report = reindex(known=known, progress=progress)
        except OSError as error:  # only the vector file is accessed here
            problem = gettext("{file} cannot be written ({error}).").format(
                file=options["vectors"], error=error.strerror
            )
            raise VectorFileClosed(problem) from error
        took = round((time.monotonic() - started) * 1000)
        return {"recipe": recipe.name, "embedded": report.embedded, "reused": report.reused, "took_ms": took}
