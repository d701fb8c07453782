"""`manage.py kb_import PATH|URL...`: import files, folders and websites into the knowledge base."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from kb.database_time import database_now
from kb.importing.categories import category_files, import_categories, preview_categories
from kb.importing.gate_check import as_tried, try_import, without_pictures
from kb.importing.importer import OUTCOMES, ImportReport, ItemResult, import_documents, import_drafts, preview_import
from kb.importing.loaders import load
from kb.importing.parsed_document import Document, Failure
from kb.indexing.embedding import KnownVectors, NoVectors, SyncReport
from kb.indexing.recipes import active_recipe, spec_of
from kb.indexing.sync import sync_articles
from kb.indexing.vector_file import VectorFile
from kb.publication_report import REPORT_HELP, report_after
from kb.publication_report import in_words as comparison_in_words
from kb.sources.foreground import in_words, is_web_address, read_site
from kb.terminal_progress import ProgressLine
from kb.validation import check_name
from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import Workspace
from supportbot.commands import a_path, not_empty
from supportbot.team_formats import labelled

GATE_SECONDS: Final = 300.0  # the articles' rows are locked for this long


class Command(WorkspaceCommand):
    help = gettext_noop(
        "Import PDF, Word, Markdown (for its front matter see docs/knowledge.md), HTML, text, CSV, JSON Lines and zip. "
        "Publishes the articles and returns when every passage is indexed. Importing again updates articles by "
        "external id. A web address is added as a source and read."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "paths", nargs="+", metavar="PATH|URL", type=not_empty, help=gettext("a web address, a file or a folder")
        )
        parser.add_argument("--collection", metavar="NAME", default="", help=gettext("the collection for the articles"))
        parser.add_argument(
            "--vectors",
            metavar="FILE",
            type=a_path,
            help=gettext("read vectors from this file, and add new ones to it"),
        )
        parser.add_argument(
            "--allow-private", action="store_true", help=gettext("let this source reach addresses in private networks")
        )
        parser.add_argument(
            "--gate", action="store_true", help=gettext("import nothing if a gate case would fail with it")
        )
        parser.add_argument("--report", action="store_true", help=gettext(REPORT_HELP))
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument(
            "--dry-run", action="store_true", help=gettext("show what would happen without storing anything")
        )
        mode.add_argument("--draft", action="store_true", help=gettext("store drafts, which customers cannot read"))
        mode.add_argument("--no-wait", action="store_true", help=gettext("let the worker compute the vectors"))

    def handle(self, *args: Any, **options: Any) -> None:
        self.failed = 0
        if options["gate"] and options["draft"]:
            raise CommandError(gettext("Leave out --gate: drafts change nothing that customers read."))
        super().handle(*args, **options)
        if self.failed:
            text = (
                gettext("Failed items: {number}, listed above. They would not be imported.")
                if options["dry_run"]
                else gettext("Failed items: {number}, listed above. They were not imported.")
            )
            raise CommandError(text.format(number=self.failed))

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        started, since = time.monotonic(), database_now()
        known = _vector_store(options["vectors"])
        sites = [path for path in options["paths"] if is_web_address(path)]
        read = [read_site(site, options, self.stderr) for site in sites]
        report = self._import(options)
        categories = self._arrange(options, report)
        self.failed = report.count("failed")
        facts: dict[str, Any] = _facts(report)
        if categories:
            facts["categories"] = categories
        if sites:
            facts["sites"] = read
            self.failed += sum(site["broken"] or site["state"] == "failed" for site in read)
        if not (options["dry_run"] or options["draft"] or options["no_wait"]):
            indexed = self._index(report.article_ids, known, options["vectors"])
            facts |= {"embedded": indexed.embedded, "reused": indexed.reused}
        if not (options["dry_run"] or options["draft"]) and (
            comparison := report_after(_changed_in(report), since=since, waits=options["report"])
        ):
            facts["comparison"] = comparison
        return facts | {"took_ms": round((time.monotonic() - started) * 1000)}

    def _import(self, options: dict[str, Any]) -> ImportReport:
        collection = check_name(options["collection"]) if options["collection"] else ""
        paths = [path for path in options["paths"] if not is_web_address(path)]
        items = self._tried(paths, collection) if options["gate"] else load(paths)
        if options["dry_run"]:
            return preview_import(items, collection=collection)
        if options["draft"]:
            return import_drafts(items, collection=collection)
        return import_documents(items, collection=collection)

    def _arrange(self, options: dict[str, Any], report: ImportReport) -> int:
        """Import the categories of an export, except with --draft, which does not change help pages; return how many
        there are.
        """
        if options["draft"]:
            return 0
        read = preview_categories if options["dry_run"] else import_categories
        found = read(category_files([path for path in options["paths"] if not is_web_address(path)]))
        for file in found.foreign:
            self.stderr.write(gettext("{file}: ignored, because kb_export did not write it.").format(file=file))
        report.items += [ItemResult("failed", problem.origin, message=problem.message) for problem in found.problems]
        return found.count

    def _tried(self, paths: list[str], collection: str) -> Iterator[Document | Failure]:
        """Return the content of the files if the gates accept it. The files are read once for the gates and once for
        the import. Raises GatesRefuse.
        """
        tried = without_pictures(load(paths))
        verdict = try_import(list(tried.values()), collection=collection, seconds=GATE_SECONDS)
        if verdict.untried:
            text = gettext("Gate cases skipped because time ran out: {number}.")
            self.stderr.write(text.format(number=verdict.untried))
        return as_tried(load(paths), tried)

    def _index(self, article_ids: list[UUID], known: KnownVectors, path: Path | None) -> SyncReport:
        try:
            with ProgressLine(self.stderr, gettext("embedding passages")) as progress:
                return sync_articles(article_ids, known=known, progress=progress)
        except OSError as error:  # only the vector file is accessed here
            raise CommandError(
                gettext("{path} cannot be written ({strerror}). The articles were imported.").format(
                    path=path, strerror=error.strerror
                )
            ) from error

    def words(self, facts: dict[str, Any]) -> str:
        counts = {name: value for name, value in facts.items() if name not in ("items", "sites", "comparison")}
        sites = [f"{site['name']}\n{in_words(site)}\n" for site in facts.get("sites", [])]
        failures = [item for item in facts["items"] if item["outcome"] == "failed"]
        notes = [labelled(item["origin"], note) for item in facts["items"] for note in item["notes"]]
        failed = [labelled(item["origin"], item["message"]) for item in failures]
        compared = [comparison_in_words(facts["comparison"])] if "comparison" in facts else []
        return "\n".join([*sites, super().words(counts), *notes, *failed, *compared])


def _vector_store(path: Path | None) -> KnownVectors:
    return NoVectors() if path is None else VectorFile(path, spec_of(active_recipe()))


def _changed_in(report: ImportReport) -> list[UUID]:
    """Return the articles that an import has created or changed."""
    read = (item for item in report.items if item.outcome != "failed" and item.external_id)
    return [pk for item, pk in zip(read, report.article_ids, strict=False) if item.outcome in ("new", "updated")]


def _facts(report: ImportReport) -> dict[str, Any]:
    counts: dict[str, Any] = {outcome: report.count(outcome) for outcome in OUTCOMES}
    items = [
        {
            "outcome": item.outcome,
            "origin": item.origin,
            "external_id": item.external_id,
            "message": item.message,
            "notes": item.notes,
        }
        for item in report.items
    ]
    return counts | {"items": items}
