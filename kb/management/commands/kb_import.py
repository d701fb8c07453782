"""`manage.py kb_import PATH...`: import files and folders into the knowledge base."""

import time
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from kb.documents import check_name
from kb.importing.importer import OUTCOMES, ImportReport
from kb.importing.loaders import load
from kb.indexing.index import sync_articles
from kb.indexing.vectorcache import VectorCache
from kb.indexing.vectors import KnownVectors, NoVectors, SyncReport
from kb.ports import embedder
from kb.progress import ProgressLine
from kb.services import import_documents, import_drafts, preview_import
from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import Workspace


class Command(WorkspaceCommand):
    help = (
        "Import Markdown (for its front matter see docs/knowledge.md), HTML, text and JSON lines. "
        "Publishes, and returns when every passage is indexed. Importing again updates articles by external id."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("paths", nargs="+", metavar="PATH", help="a file or a folder")
        parser.add_argument("--collection", metavar="NAME", default="", help="the collection for the articles")
        parser.add_argument("--vectors", metavar="FILE", type=Path, help="read vectors from this file and add new ones")
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--dry-run", action="store_true", help="show what would happen, store nothing")
        mode.add_argument("--draft", action="store_true", help="store drafts; what customers read does not change")
        mode.add_argument("--no-wait", action="store_true", help="let the worker compute the vectors")

    def handle(self, *args: Any, **options: Any) -> None:
        self.failed = 0
        super().handle(*args, **options)
        if self.failed:
            what = "would not be imported" if options["dry_run"] else "were not imported; the others were"
            raise CommandError(f"Failed items: {self.failed}, listed above. They {what}.")

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        started = time.monotonic()
        known = _vector_store(options["vectors"])
        report = self._import(options)
        self.failed = report.count("failed")
        facts: dict[str, Any] = _facts(report)
        if not (options["dry_run"] or options["draft"] or options["no_wait"]):
            indexed = self._index(report.article_ids, known, options["vectors"])
            facts |= {"embedded": indexed.embedded, "reused": indexed.reused}
        return facts | {"took_ms": round((time.monotonic() - started) * 1000)}

    def _import(self, options: dict[str, Any]) -> ImportReport:
        collection = check_name(options["collection"]) if options["collection"] else ""
        items = load(options["paths"])
        if options["dry_run"]:
            return preview_import(items, collection=collection)
        if options["draft"]:
            return import_drafts(items, collection=collection)
        return import_documents(items, collection=collection)

    def _index(self, article_ids: list[UUID], known: KnownVectors, path: Path | None) -> SyncReport:
        try:
            with ProgressLine(self.stderr, "embedding passages") as progress:
                return sync_articles(article_ids, known=known, progress=progress)
        except OSError as error:  # nothing else here touches a file
            raise CommandError(f"{path} cannot be written ({error.strerror}). The articles were imported.") from error

    def words(self, facts: dict[str, Any]) -> str:
        counts = {name: value for name, value in facts.items() if name != "items"}
        failures = [item for item in facts["items"] if item["outcome"] == "failed"]
        return "\n".join([super().words(counts), *(f"{item['origin']}: {item['message']}" for item in failures)])


def _vector_store(path: Path | None) -> KnownVectors:
    return NoVectors() if path is None else VectorCache(path, embedder().recipe)


def _facts(report: ImportReport) -> dict[str, Any]:
    counts: dict[str, Any] = {outcome: report.count(outcome) for outcome in OUTCOMES}
    items = [
        {"outcome": item.outcome, "origin": item.origin, "external_id": item.external_id, "message": item.message}
        for item in report.items
    ]
    return counts | {"items": items}
