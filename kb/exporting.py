"""Articles as Markdown files, one folder a collection, which an import reads back unchanged."""

import hashlib
from pathlib import Path

import yaml
from django.utils.text import slugify

from kb.errors import KnowledgeError
from kb.models import Article, Revision, State

ROWS_AT_ONCE = 200


class ExportFailed(KnowledgeError):
    code = "export_failed"
    default_message = "The folder cannot be written. Check its rights and the disk."


def export_articles(folder: Path) -> int:
    """Write what is not archived and return how many files were written. Raises ExportFailed.

    An article that is live exports what customers read; one that never was, its newest draft.
    """
    rows = Article.objects.exclude(state=State.ARCHIVED).select_related(
        "collection", "live_revision", "latest_revision"
    )
    count = 0
    for article in rows.order_by("external_id").iterator(ROWS_AT_ONCE):
        revision = article.live_revision or article.latest_revision
        if revision is not None:
            _write(folder / article.collection.slug / _file_name(article), _text(article, revision))
            count += 1
    return count


def _text(article: Article, revision: Revision) -> str:
    front = {
        "id": article.external_id,
        "title": revision.title,
        "locale": article.locale,
        "audience": article.audience,
        "category": article.category,
        "url": article.url,
    }
    said = {name: value for name, value in front.items() if value}
    return f"---\n{yaml.safe_dump(said, allow_unicode=True, sort_keys=False, width=1_000)}---\n{revision.body}"


def _file_name(article: Article) -> str:
    """Return a name that fits every file system and stands for one external id only."""
    readable = slugify(article.external_id.removesuffix(".md"))[:80] or "article"
    is_exact = readable == article.external_id.removesuffix(".md")
    return (
        f"{readable}.md"
        if is_exact
        else f"{readable}-{hashlib.sha256(article.external_id.encode()).hexdigest()[:8]}.md"
    )


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ExportFailed(f"{file} cannot be written ({error.strerror}). Check its rights and the disk.") from error
