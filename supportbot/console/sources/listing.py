"""The list of sources, and the addresses of their pages."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from kb.sources.kinds import KINDS
from kb.sources.models import ACTIVE, SITE, Source
from kb.sources.selectors import listed_sources
from supportbot import team_formats as formats
from supportbot.console.base import ScopedAdmin, of_this_workspace
from supportbot.console.display import moment_in_words
from supportbot.console.sources import adding, source_page, states


@admin.register(Source)
class SourceAdmin(ScopedAdmin):
    many = _("Sources")
    new = _("Add source")
    none_yet = _("A source is your website or your files, which are read, turned into articles and kept up to date.")
    view_right = "kb:read"
    change_right = "kb:write"
    can_add = True
    list_display = ["called", "state", "articles", "collection", "again", "last"]
    list_display_links = None
    list_select_related = ["collection"]
    search_fields = ["name", "address"]
    ordering = ["name", "pk"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return of_this_workspace(listed_sources())

    @admin.display(description=_("Name"), ordering="name")
    def called(self, source: Source) -> SafeString:
        below = source.address if source.kind == SITE else KINDS[source.kind].title
        return format_html(
            '<a class="t" href="{}/change/" dir="auto">{}</a><span class="sub" dir="auto">{}</span>',
            source.pk,
            source.name,
            below,
        )

    @admin.display(description=_("State"))
    def state(self, source: Source) -> SafeString:
        row: Any = source  # has annotations
        return states.of_run(row.run_state or "", row.run_mode or "")

    @admin.display(description=_("Articles"))
    def articles(self, source: Source) -> str:
        number: int | None = source.live_articles  # type: ignore[attr-defined]  # has annotations
        return formats.number(number) if number else gettext("none yet")

    @admin.display(description=_("Read again"), ordering="schedule")
    def again(self, source: Source) -> str:
        return str(source.get_schedule_display())

    @admin.display(description=_("Last read"))
    def last(self, source: Source) -> str:
        row: Any = source  # has annotations
        return moment_in_words(row.run_at, otherwise=gettext("Being read") if row.run_state in ACTIVE else "")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own: list[tuple[str, Callable[..., HttpResponse], str]] = [
            ("add/", adding.add_page, "kb_source_add"),
            ("<uuid:source_id>/change/", source_page.source_page, "kb_source_change"),
            ("<uuid:source_id>/progress/", source_page.progress, "kb_source_progress"),
            ("<uuid:source_id>/do/", source_page.act, "kb_source_act"),
            ("<uuid:source_id>/files/<uuid:file_id>/", source_page.original, "kb_source_original"),
        ]
        return [*(path(address, wrap(view), name=name) for address, view, name in own), *super().get_urls()]

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return source_page.source_page(request, UUID(object_id))
        except ValueError as error:  # not an id
            raise Http404 from error
