"""Adding, changing and deleting sources."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext

from kb.access import check_may_write
from kb.collections import collection_named, default_name
from kb.errors import InvalidDocument
from kb.models import Article, Audience, Collection, State
from kb.ports import audit
from kb.services import archive_where
from kb.sources.errors import InvalidSource
from kb.sources.kinds import KINDS
from kb.sources.models import COMPARED, FOLDER, SITE, Source, SourceItem, SourceRun
from kb.sources.run_items import MAX_ITEMS
from kb.sources.runs import cancel, next_due
from kb.sources.web.site import MAX_DEPTH
from kb.sources.web.urls import one_spelling
from supportbot.accounts.models import User
from supportbot.outbound.targets import address_problem, with_scheme

MAX_DELAY: Final = 60.0
MAX_PATTERNS: Final = 50
MAX_PATTERN_CHARACTERS: Final = 300
MAX_NAME_CHARACTERS: Final = 120
PATTERNS: Final = ("sections", "include", "exclude")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceChanges:
    """The settings that a person entered for a source, not validated yet; None leaves a field unchanged."""

    name: str | None = None
    address: str | None = None
    collection: str | None = None
    audience: str | None = None
    publishes: bool | None = None
    schedule: str | None = None
    delay_seconds: float | None = None
    allows_private: bool | None = None
    depth: int | None = None
    most: int | None = None
    robots: bool | None = None
    sections: Sequence[str] | None = None
    include: Sequence[str] | None = None
    exclude: Sequence[str] | None = None


@transaction.atomic
def add_source(kind: str, changes: SourceChanges, *, person: User | None = None) -> Source:
    """Create a source; nothing is read yet. Raises InvalidSource, or NotAllowed if the person may not write to the
    collection.
    """
    source = Source(kind=kind, created_by=person)
    source.name = _free_name(changes.name or _name_of(kind, changes.address or ""))
    _apply(source, changes, person)
    source.save(force_insert=True)
    _audit("source.added", source, person)
    return source


@transaction.atomic
def change_source(source: Source, changes: SourceChanges, *, person: User | None = None) -> Source:
    """Change a source's settings; its next run reads everything again if the change affects its articles."""
    check_may_write(person, source.collection)
    before, address = (source.collection_id, source.audience, source.publishes), source.address
    _apply(source, changes, person)
    if source.address != address:
        _move(source, address)
    source.save()
    if (source.collection_id, source.audience, source.publishes) != before:
        SourceItem.objects.filter(source=source).update(**dict.fromkeys(COMPARED, ""))
    _audit("source.changed", source, person)
    return source


def _move(source: Source, former: str) -> None:
    """Reset a source for its new address. Raises InvalidSource if it already has articles from the former address."""
    cancel(source)
    items = SourceItem.objects.filter(source=source)
    # A worker that stores an article locks its item, so either the article is found here, or it is not stored.
    if any(items.select_for_update().order_by("pk").values_list("imported_at", flat=True)):
        text = gettext("This source already has articles. Add a new source for this address.")
        raise InvalidSource(fields={"address": [text]})
    items.delete()
    source.memory = {}
    if source.name == _name_of(source.kind, former):
        source.name = _free_name(_name_of(source.kind, source.address), besides=source)


@transaction.atomic
def delete_source(source: Source, *, archives: bool, person: User | None = None) -> int:
    """Delete a source; its articles are archived, or kept as if they had been written here. Return their number."""
    check_may_write(person, source.collection)
    cancel(source)
    articles = Article.objects.filter(source_item__source=source)
    count = archive_where(Q(source_item__source=source)) if archives else articles.exclude(state=State.ARCHIVED).count()
    articles.update(source_item=None)
    _audit("source.deleted", source, person, articles=count, archived=archives)
    SourceRun.objects.filter(source=source).delete()
    source.delete()
    return count


# --- Validation


def _apply(source: Source, changes: SourceChanges, person: User | None) -> None:
    problems: dict[str, list[str]] = {}
    if changes.name is not None and changes.name.strip():
        source.name = " ".join(changes.name.split())[:MAX_NAME_CHARACTERS]
    if changes.allows_private is not None:
        source.allows_private = changes.allows_private
    if changes.address is not None or source._state.adding:
        source.address, problem = _address(source, changes)
        _note(problems, "address", problem)
    _apply_place(source, changes, person, problems)
    _apply_pace(source, changes, problems)
    source.config = {**source.config, **_config(changes, problems)}
    if problems:
        raise InvalidSource(fields=problems)
    check_may_write(person, source.collection)


def _apply_place(source: Source, changes: SourceChanges, person: User | None, problems: dict[str, list[str]]) -> None:
    if changes.audience is not None:
        source.audience = changes.audience
        is_known = changes.audience in ("", *Audience.values)
        _note(problems, "audience", "" if is_known else gettext("Choose the readers from the list."))
    if changes.publishes is not None:
        source.publishes = changes.publishes
    if changes.collection is not None or source._state.adding:
        source.collection = _collection(changes.collection or default_name(), problems) or source.collection


def _collection(name: str, problems: dict[str, list[str]]) -> Collection | None:
    try:
        return collection_named(name)
    except InvalidDocument as error:
        _note(problems, "collection", error.message)
        return None


def _apply_pace(source: Source, changes: SourceChanges, problems: dict[str, list[str]]) -> None:
    if changes.schedule is not None and changes.schedule not in Source.Schedule.values:
        _note(problems, "schedule", gettext("Choose from the list how often to read the source."))
    elif changes.schedule is not None and changes.schedule != source.schedule:
        is_begun = SourceItem.objects.filter(source=source, imported_at__isnull=False).exists()
        source.schedule, source.due_at = changes.schedule, next_due(changes.schedule, now()) if is_begun else None
    if changes.delay_seconds is not None:
        is_fine = math.isfinite(changes.delay_seconds) and 0 <= changes.delay_seconds <= MAX_DELAY
        source.delay_seconds = changes.delay_seconds if is_fine else source.delay_seconds
        text = gettext("Choose a pause between 0 and {most} seconds.").format(most=int(MAX_DELAY))
        _note(problems, "delay_seconds", "" if is_fine else text)


def _config(changes: SourceChanges, problems: dict[str, list[str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value, most in (("depth", changes.depth, MAX_DEPTH * 2), ("most", changes.most, MAX_ITEMS)):
        if value is None:
            continue
        found[name] = value
        text = gettext("Choose a number between 1 and {most}.").format(most=most)
        _note(problems, name, "" if 1 <= value <= most else text)
    if changes.robots is not None:
        found["robots"] = changes.robots
    for name in PATTERNS:
        if (patterns := getattr(changes, name)) is not None:
            found[name] = [pattern.strip() for pattern in patterns if pattern.strip()]
            is_fine = len(found[name]) <= MAX_PATTERNS and all(
                len(one) <= MAX_PATTERN_CHARACTERS for one in found[name]
            )
            _note(
                problems,
                name,
                ""
                if is_fine
                else gettext("There are too many patterns, or some are too long. Use fewer or shorter ones."),
            )
    return found


def _address(source: Source, changes: SourceChanges) -> tuple[str, str]:
    """Return a source's address, and what is wrong with it ("" if nothing is)."""
    typed = changes.address or ""
    if source.kind == FOLDER:
        path = Path(typed).expanduser()
        message = gettext("This file or folder does not exist. Check the path.")
        return str(path.resolve()), "" if path.exists() and typed else message
    if source.kind != SITE:
        return "", "" if source.kind in KINDS else gettext("This kind of source is unknown.")
    text = with_scheme(typed.strip())
    url = one_spelling(text)
    if not url:
        return text[:2000], gettext("Enter a web address such as https://help.example.com.")
    # The operator has allowed a private network for the former host only, and anyone who may write can change the
    # address.
    if changes.allows_private is None and urlsplit(url).netloc != urlsplit(source.address).netloc:
        source.allows_private = False
    return url, "" if source.allows_private else _call_problem(url)


def _call_problem(url: str) -> str:
    problem = address_problem(url)
    return gettext("This address cannot be read: {problem}.").format(problem=problem) if problem else ""


def _name_of(kind: str, address: str) -> str:
    if kind == SITE:
        try:
            parts = urlsplit(with_scheme(address))
        except ValueError:  # such as brackets without an IPv6 address; the address's own check says so
            return address
        return f"{parts.netloc}{parts.path.rstrip('/')}"
    return PurePosixPath(address).name if kind == FOLDER else gettext("Files")


def _free_name(wanted: str, *, besides: Source | None = None) -> str:
    """Return the name, with a number added if another source has it."""
    name = " ".join(wanted.split())[: MAX_NAME_CHARACTERS - 5] or gettext("Source")
    others = Source.objects.exclude(pk=besides.pk) if besides else Source.objects.all()
    taken = set(others.filter(name__startswith=name).values_list("name", flat=True))
    names = (name if number == 1 else f"{name} {number}" for number in range(1, len(taken) + 2))
    return next(one for one in names if one not in taken)


def _note(problems: dict[str, list[str]], field: str, problem: str) -> None:
    if problem:
        problems[field] = [problem]


def _audit(event: str, source: Source, person: User | None, **facts: Any) -> None:
    payload: Mapping[str, Any] = {"source": source.name, "kind": source.kind, "address": source.address[:500], **facts}
    audit(event, actor=f"user:{person.pk}" if person else "command", private=source.allows_private, **payload)
