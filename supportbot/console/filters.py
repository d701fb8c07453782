"""List filters whose choices have readable labels."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django.contrib.admin import AllValuesFieldListFilter, SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext

from supportbot.team_formats import language_name


class LabelledFilter(SimpleListFilter):
    """`parameter_name` is the field, and `words` maps its values to English labels.

    Any other value leaves the list unfiltered.
    """

    words: ClassVar[Mapping[str, str]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, gettext(label)) for value, label in self.words.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset.filter(**{str(self.parameter_name): value}) if value in self.words else queryset


class LanguageFilter(AllValuesFieldListFilter):
    """Filters by a field that contains locales, and shows their names in alphabetical order."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        everything, *rest = super().choices(changelist)
        yield everything
        named = ({**choice, "display": language_name(str(choice["display"]))} for choice in rest)
        yield from sorted(named, key=lambda choice: str(choice["display"]))
