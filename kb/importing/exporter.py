"""Exporting articles as Markdown files, one folder per collection, together with the categories. An import reads them
back unchanged: text, metadata, collection and state.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import yaml
from django.db.models import QuerySet
from django.utils.text import slugify
from django.utils.translation import gettext, gettext_noop

from kb.errors import KnowledgeError
from kb.importing.categories import FILE, written_categories
from kb.models import Article, Picture, Revision, State
from kb.phrasings import phrasings_by_article
from kb.pictures import digests_in, file_name
from kb.rendering import PICTURE
from kb.validation import SWITCHES

ROWS_AT_ONCE = 200
PICTURES_AT_ONCE = 20
PICTURES = "pictures"  # the folder of pictures, next to the texts of a collection
_LOOKS_DERIVED = re.compile(r"-[0-9a-f]{8}$")


class ExportFailed(KnowledgeError):
    code = "export_failed"
    default_message = gettext_noop("The folder cannot be written. Check its permissions and the disk.")


def export_live(folder: Path) -> int:
    """Write the live articles and return the number of files. Raises ExportFailed."""
    return _export(folder, Article.objects.filter(state=State.LIVE))


def export_with_drafts(folder: Path) -> int:
    """Like `export_live`, plus the newest text of articles that were never published."""
    return _export(folder, Article.objects.filter(state__in=(State.LIVE, State.DRAFT)))


def _export(folder: Path, articles: QuerySet[Article]) -> int:
    rows = articles.select_related("collection", "live_revision", "latest_revision", "translation_of")
    waiting, count = rows.order_by("external_id").iterator(ROWS_AT_ONCE), 0
    while batch := list(islice(waiting, ROWS_AT_ONCE)):
        count += _export_batch(folder, batch)
    if categories := written_categories():
        _write(folder / FILE, categories.encode())
    return count


def _export_batch(folder: Path, articles: Sequence[Article]) -> int:
    newest = [(one, one.live_revision if one.is_live else one.latest_revision) for one in articles]
    texts = [(article, revision) for article, revision in newest if revision is not None]
    places: dict[str, set[Path]] = defaultdict(set)  # by picture: the folders whose texts contain it
    for article, revision in texts:
        for digest in digests_in(revision.body):
            places[digest].add(folder / article.collection.slug)
    named = Picture.objects.filter(digest__in=list(places))
    stored = {picture.digest: picture for picture in named.defer("content")}  # contents are read one by one below
    phrasings = phrasings_by_article(articles)
    for article, revision in texts:
        written = _text(article, revision, phrasings[article.pk], stored)
        _write(folder / article.collection.slug / _file_name(article), written.encode())
    for picture in named.iterator(PICTURES_AT_ONCE):
        for place in places[picture.digest]:
            _write(place / PICTURES / file_name(picture), bytes(picture.content))
    return len(texts)


def _text(article: Article, revision: Revision, phrasings: Sequence[str], stored: Mapping[str, Picture]) -> str:
    front = {
        "id": article.external_id,
        "title": revision.title,
        "locale": article.locale,
        "audience": article.audience,
        "category": article.category,
        "collection": article.collection.name,
        "state": article.state,
        "url": article.url,
        "page_address": article.slug,
        "translation_of": article.translation_of.external_id if article.translation_of else "",
        "phrasings": list(phrasings),
    }
    given = {name: value for name, value in front.items() if value}
    given |= {name: "no" for name in SWITCHES if not getattr(article, name)}
    head = yaml.safe_dump(given, allow_unicode=True, sort_keys=False, width=1_000)
    return f"---\n{head}---\n{_body(revision, stored)}"


def _body(revision: Revision, stored: Mapping[str, Picture]) -> str:
    """Return the text, with its stored pictures at their addresses in the export."""
    return re.sub(
        rf"(?<=\()<?{PICTURE}>?(?=[\s)])",
        lambda found: f"{PICTURES}/{file_name(stored[found[1]])}" if found[1] in stored else found.group(),
        revision.body,
    )


def _file_name(article: Article) -> str:
    """Return a name that works on every file system and is unique for each external id."""
    name = slugify(article.external_id)[:80] or "article"
    if name == article.external_id and not _LOOKS_DERIVED.search(name):
        return f"{name}.md"
    readable = slugify(article.external_id.removesuffix(".md"))[:80] or "article"
    return f"{readable}-{hashlib.sha256(article.external_id.encode()).hexdigest()[:8]}.md"


def _write(file: Path, content: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    except OSError as error:
        problem = gettext("{file} cannot be written ({error}). Check its permissions and the disk.")
        raise ExportFailed(problem.format(file=file, error=error.strerror)) from error
