"""Categories: the sections of the help pages, with their order, icons, descriptions and names in other languages.

An article refers to its category by name (`Article.category`), as do files, the API and older releases. A new name
creates a category. A former name still leads to its category: on the help pages, in files that are imported again and
over the API.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_noop

from kb.errors import CategoryInUse, CategoryMissing, InvalidDocument
from kb.models import Article, Category
from kb.validation import check_category, check_locale, check_storable
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import current_workspace_id
from supportbot.language.detection import base_language

MAX_DESCRIPTION: Final = 200
MAX_TRANSLATIONS: Final = 40
MAX_CATEGORIES: Final = 200  # the start page shows them all
# The icons in `pages/icons.svg`, with descriptions.
ICONS: Final[dict[str, str]] = {
    "truck": gettext_noop("Lorry"),
    "undo": gettext_noop("Back arrow"),
    "repair": gettext_noop("Spanner"),
    "ruler": gettext_noop("Ruler"),
    "gift": gettext_noop("Gift"),
    "card": gettext_noop("Payment card"),
    "coin": gettext_noop("Coin"),
    "lock": gettext_noop("Lock"),
    "key": gettext_noop("Key"),
    "person": gettext_noop("Person"),
    "people": gettext_noop("People"),
    "bag": gettext_noop("Bag"),
    "box": gettext_noop("Parcel"),
    "book": gettext_noop("Book"),
    "gear": gettext_noop("Gear"),
    "shield": gettext_noop("Shield"),
    "mail": gettext_noop("Envelope"),
    "clock": gettext_noop("Clock"),
    "globe": gettext_noop("Globe"),
    "peak": gettext_noop("Mountain"),
    "info": gettext_noop("Information"),
}


@dataclass(frozen=True, slots=True)
class LocalizedCategory:
    """A category as readers of one language see it. `name` is its original name, which addresses use."""

    name: str
    title: str
    description: str = ""
    icon: str = ""
    place: tuple[bool, int, str] = (True, 0, "")


class LocalizedCategories:
    """The workspace's categories in one language, by their names and former names."""

    def __init__(self, language: str) -> None:
        rows = list(Category.objects.all())
        former = {name: row for row in rows for name in row.former_names}
        self._rows: Mapping[str, Category] = {**former, **{row.name: row for row in rows}}
        self._language = language

    def of(self, name: str) -> LocalizedCategory:
        """Return the category with this name or former name; categories without a row come last, sorted by name."""
        row = self._rows.get(name)
        if row is None:
            return LocalizedCategory(name, name, place=(True, 0, name.casefold()))
        translated = row.translations.get(self._language, {})
        title = translated.get("name") or row.name
        place = (row.position is None, row.position or 0, title.casefold())
        return LocalizedCategory(row.name, title, translated.get("description") or row.description, row.icon, place)

    def renamed(self, name: str) -> str:
        """Return the current name of a category, given a former one; "" for any other name."""
        row = self._rows.get(name)
        return row.name if row is not None and row.name != name else ""


def current_names(names: Iterable[str]) -> dict[str, str]:
    """Return the current name for each given name that is a former one."""
    wanted = sorted({name for name in names if name})
    if not wanted:
        return {}
    today = set(Category.objects.filter(name__in=wanted).values_list("name", flat=True))
    rows = Category.objects.filter(former_names__overlap=wanted)
    return {old: row.name for row in rows for old in row.former_names if old in wanted and old not in today}


def note_categories(names: Iterable[str]) -> None:
    """Create rows for the categories that have none yet."""
    wanted = {name for name in names if name}
    known = set(Category.objects.filter(name__in=wanted).values_list("name", flat=True))
    Category.objects.bulk_create([Category(name=name) for name in sorted(wanted - known)], ignore_conflicts=True)


def unknown_categories(names: Iterable[str]) -> list[str]:
    """Return the names that no category has or had, in the given order."""
    wanted = {name for name in names if name}
    known = set(Category.objects.filter(name__in=wanted).values_list("name", flat=True))
    return sorted(wanted - known - current_names(wanted).keys())


def check_category_name(name: str, *, but: UUID | None = None) -> str:
    """Return a category's name, trimmed. Raises InvalidDocument if it is empty, too long or taken."""
    trimmed = check_category(name)
    if not trimmed:
        _refuse(gettext("Enter a name."))
    others = Category.objects.filter(name__iexact=trimmed)
    if (others if but is None else others.exclude(pk=but)).exists():
        _refuse_taken()
    return trimmed


def category_with_id(row_id: UUID) -> Category:
    """Return a category. Raises CategoryMissing."""
    row: Category | None = Category.objects.filter(pk=row_id).first()
    if row is None:
        raise CategoryMissing
    return row


def check_look(row: Category) -> None:
    """Trim and check what readers see of a category besides its name. Raises InvalidDocument."""
    row.description = _line("description", row.description)
    if row.icon and row.icon not in ICONS:
        _refuse(gettext("Choose one of these icons: {names}.").format(names=", ".join(ICONS)), "icon")
    if len(row.translations) > MAX_TRANSLATIONS:
        _refuse(gettext("Use at most {number} languages.").format(number=MAX_TRANSLATIONS), "translations")
    translations = dict[str, dict[str, str]]()
    for given, translation in row.translations.items():
        language = _language(given)
        if language in translations:
            twice = gettext("There is already a translation for “{language}”. Leave out “{given}”.")
            _refuse(twice.format(language=language, given=given), "translations")
        translations[language] = {
            "name": check_category(translation.get("name", "")),
            "description": _line("translations", translation.get("description", "")),
        }
    row.translations = translations


def _language(given: str) -> str:
    try:
        return base_language(check_locale(given))
    except InvalidDocument as error:
        _refuse(error.message, "translations")


def _line(field: str, text: str) -> str:
    line = " ".join(check_storable(field, text).split())
    if len(line) > MAX_DESCRIPTION:
        _refuse(gettext("The description is longer than {limit} characters.").format(limit=MAX_DESCRIPTION), field)
    return line


@transaction.atomic
def save_category(row: Category) -> None:
    """Store a new or changed category. If it is renamed, its articles stay in it, and its former name leads to it.

    Raises InvalidDocument.
    """
    check_look(row)
    _lock()
    known = Category.objects.filter(pk=row.pk).first()
    if known is None and Category.objects.count() >= MAX_CATEGORIES:
        _refuse(gettext("There are {number} categories already. Delete one first.").format(number=MAX_CATEGORIES))
    if known is None or known.name != row.name:
        row.name = check_category_name(row.name, but=row.pk)
    if known is not None and known.name != row.name:
        row.former_names = [name for name in dict.fromkeys([*row.former_names, known.name]) if name != row.name]
        Article.objects.filter(category=known.name).update(category=row.name, updated_at=now())
    for other in Category.objects.filter(former_names__contains=[row.name]).exclude(pk=row.pk):
        other.former_names.remove(row.name)
        other.save(update_fields=["former_names"])
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:  # an article or import, which does not take the lock, has just created it
        _refuse_taken()


@transaction.atomic
def change_category(row_id: UUID, **facts: Any) -> Category:
    """Change some properties of a category; others keep their current values, even if they are changed at the same
    time.

    Raises CategoryMissing or InvalidDocument.
    """
    _lock()
    row = category_with_id(row_id)
    for name, value in facts.items():
        setattr(row, name, value)
    save_category(row)
    return row


@transaction.atomic
def move_category(row_id: UUID, where: Literal["up", "down"]) -> Category:
    """Swap a category with the one before or after it, if there is one. Raises CategoryMissing."""
    _lock()
    rows: list[Category] = list(Category.objects.all())
    place = next((number for number, row in enumerate(rows) if row.pk == row_id), None)
    if place is None:
        raise CategoryMissing
    other = place + (-1 if where == "up" else 1)
    if 0 <= other < len(rows):
        rows[place], rows[other] = rows[other], rows[place]
    _number(rows)
    return next(row for row in rows if row.pk == row_id)


@transaction.atomic
def order_categories(ids: Sequence[UUID]) -> None:
    """Put these categories first, in this order; the others follow in their current order. Raises CategoryMissing."""
    _lock()
    rows = {row.pk: row for row in Category.objects.all()}
    if any(row_id not in rows for row_id in ids):
        raise CategoryMissing
    _number([rows[row_id] for row_id in dict.fromkeys([*ids, *rows])])


@transaction.atomic
def delete_category(row_id: UUID) -> None:
    """Delete a category that no article is in. Raises CategoryMissing or CategoryInUse."""
    _lock()
    row = category_with_id(row_id)
    if Article.objects.filter(category=row.name).exists():
        raise CategoryInUse
    row.delete()


def _number(rows: Sequence[Category]) -> None:
    for number, row in enumerate(rows, start=1):
        row.position = number
    Category.objects.bulk_update(rows, ["position"])


def _lock() -> None:
    """Let only one change to categories run at a time, so that two changes cannot take the same position or name."""
    list(Workspace.objects.select_for_update(no_key=True).filter(pk=current_workspace_id()))


def _refuse_taken() -> NoReturn:
    _refuse(gettext("A category with this name already exists. Choose a different name."))


def _refuse(problem: str, field: str = "name") -> NoReturn:
    raise InvalidDocument(problem, fields={field: [problem]})
