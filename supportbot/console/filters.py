"""A list filter whose choices have readable labels."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext


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
