"""The forms for a source, and the files dropped on its page. The service validates what is entered."""

from collections.abc import Iterator
from typing import Any, Final

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from kb.collections import default_name
from kb.models import Audience, Collection
from kb.sources.models import Source
from kb.sources.services import SourceChanges
from kb.sources.uploads import MAX_FILE_BYTES
from kb.sources.web.site import MAX_DEPTH
from supportbot.errors import SupportBotError
from supportbot.values_saved_meanwhile import KeepsNewerValues

MOST_FILES: Final = 100  # files in one request; a zip file may contain more
_LINES: Final = forms.Textarea(attrs={"rows": 2, "class": "field", "spellcheck": "false"})


class PlaceForm(forms.Form):
    """The settings for a source's articles, which all kinds of sources have."""

    collection = forms.CharField(
        label=_("Collection"),
        required=False,
        max_length=120,
        widget=forms.TextInput(attrs={"list": "collections"}),
    )
    audience = forms.ChoiceField(label=_("Readers"), required=False)
    how = forms.ChoiceField(
        label=_("New and changed articles"),
        choices=(("publish", _("Publish at once")), ("draft", _("Keep as drafts"))),
        widget=forms.RadioSelect,
        initial="publish",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["collection"].widget.attrs["placeholder"] = default_name()
        unset = ("", gettext("As set in the files; otherwise, everyone"))
        self.fields["audience"].choices = [unset, *Audience.choices]  # type: ignore[attr-defined]

    def changes(self, **more: Any) -> SourceChanges:
        cleaned = self.cleaned_data
        return SourceChanges(
            collection=cleaned["collection"].strip() or None,
            audience=cleaned["audience"],
            publishes=cleaned["how"] == "publish",
            **more,
        )

    def note(self, refusal: SupportBotError) -> None:
        """Show the service's refusals at their fields."""
        for field, texts in refusal.fields.items():
            self.add_error(field if field in self.fields else None, texts)
        if not refusal.fields:
            self.add_error(None, refusal.message)


class SiteForm(PlaceForm):
    address = forms.CharField(
        label=_("Address"),
        max_length=2000,
        help_text=_("The address of a sitemap, or of a start page. Everything below a start page is read."),
        widget=forms.TextInput(attrs={"placeholder": "https://help.example.com", "inputmode": "url"}),
    )
    schedule = forms.ChoiceField(
        label=_("How often to read it"), choices=Source.Schedule, initial=Source.Schedule.DAILY, required=False
    )
    field_order = ["address", "schedule"]

    def changes(self, **more: Any) -> SourceChanges:
        cleaned = self.cleaned_data
        return super().changes(address=cleaned["address"], schedule=cleaned["schedule"] or None, **more)


class FilesForm(PlaceForm):
    pass


class SettingsForm(KeepsNewerValues, PlaceForm):
    name = forms.CharField(label=_("Name"), max_length=120)
    schedule = forms.ChoiceField(label=_("How often to read it"), choices=Source.Schedule, required=False)
    field_order = ["name", "schedule"]

    rare: tuple[str, ...] = ()  # fields that most people leave unchanged

    def common(self) -> list[forms.BoundField]:
        return [field for field in self if field.name not in self.rare]

    def others(self) -> list[forms.BoundField]:
        return [field for field in self if field.name in self.rare]

    def changes(self, **more: Any) -> SourceChanges:
        cleaned = self.cleaned_data
        return super().changes(name=cleaned["name"], schedule=cleaned["schedule"] or None, **more)


class SiteSettingsForm(SettingsForm):
    rare = ("delay_seconds", "depth", "most", "sections", "include", "exclude")
    field_order = ["address", *SettingsForm.field_order]

    address = SiteForm.base_fields["address"]
    delay_seconds = forms.FloatField(label=_("Seconds between two pages"), min_value=0, max_value=60)
    depth = forms.IntegerField(label=_("Links to follow from the start"), min_value=1, max_value=2 * MAX_DEPTH)
    most = forms.IntegerField(label=_("Maximum number of pages"), min_value=1, max_value=10_000)
    sections = forms.CharField(
        label=_("Sections"),
        required=False,
        widget=_LINES,
        help_text=_("Paths such as /help/, one per line. Leave empty for everything below the start page."),
    )
    include = forms.CharField(
        label=_("Only these pages"), required=False, widget=_LINES, help_text=_("Paths with *, one per line.")
    )
    exclude = forms.CharField(label=_("Excluded pages"), required=False, widget=_LINES)

    def __init__(self, *args: Any, has_articles: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["address"].required = False  # if left empty, the current address is kept
        if has_articles and "address" not in self.data:  # a different address would lose the articles
            del self.fields["address"]

    def changes(self, **more: Any) -> SourceChanges:
        cleaned = self.cleaned_data
        if "address" in self.changed_data:
            more["address"] = cleaned["address"] or None
        lines = {name: cleaned[name].splitlines()[:200] for name in ("sections", "include", "exclude")}
        numbers = {name: cleaned[name] for name in ("delay_seconds", "depth", "most")}
        return super().changes(**lines, **numbers, **more)


def collections() -> list[str]:
    return list(Collection.objects.order_by("name").values_list("name", flat=True)[:200])


def settings_of(source: Source) -> dict[str, Any]:
    """Return a source's settings as form values."""
    config = source.config
    return {
        "name": source.name,
        "address": source.address,
        "schedule": source.schedule,
        "collection": source.collection.name,
        "audience": source.audience,
        "how": "publish" if source.publishes else "draft",
        "delay_seconds": source.delay_seconds,
        "depth": config.get("depth", MAX_DEPTH),
        "most": config.get("most", 10_000),
        **{name: "\n".join(config.get(name, [])) for name in ("sections", "include", "exclude")},
    }


def uploaded(request: HttpRequest) -> Iterator[tuple[str, bytes]]:
    """Yield each dropped file's path and content, which is read only up to the size limit of a source."""
    paths = request.POST.getlist("path")
    for place, file in enumerate(request.FILES.getlist("files")[:MOST_FILES]):
        path = paths[place] if place < len(paths) else file.name or ""
        yield path, file.read(MAX_FILE_BYTES + 1)
