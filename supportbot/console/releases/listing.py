"""Releases in the console: the list, and the addresses of a release's pages."""

from dataclasses import dataclass
from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from supportbot.console.base import RowPagesAdmin
from supportbot.console.display import moment_in_words, tag
from supportbot.console.releases import pages
from supportbot.console.releases.replays import replay_page
from supportbot.evals.models import Suite
from supportbot.releases import ports
from supportbot.releases.models import Release
from supportbot.releases.selectors import gates, live_release

KINDS: Final = {"live": "ok", "draft": "info", "evaluated": "accent", "replaced": ""}


@admin.register(Release)
class ReleaseAdmin(RowPagesAdmin):
    many = _("Releases")
    view_right, change_right = pages.READ, pages.WRITE
    change_list_template = "console/releases/list.html"
    list_display = ["title", "state_of", "reason_of", "by", "at"]
    ordering = ["-number"]

    @admin.display(description=_("Release"), ordering="number")
    def title(self, row: Release) -> str:
        return name_of(row)

    @admin.display(description=_("State"), ordering="state")
    def state_of(self, row: Release) -> SafeString:
        if not row.override_reason:
            return state_tag(row)
        restored, published = gettext("Restored without the gates"), gettext("Published despite failing gates")
        return format_html("{} {}", state_tag(row), tag("warn", restored if row.restores else published))

    @admin.display(description=_("Reason"))
    def reason_of(self, row: Release) -> str:
        return row.reason or "–"

    @admin.display(description=_("By"))
    def by(self, row: Release) -> str:
        return row.published_by or row.author_name or gettext("Setup")

    @admin.display(description=_("When"), ordering="changed_at")
    def at(self, row: Release) -> str:
        return moment_in_words(row.published_at or row.changed_at)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        live_release()  # creates a workspace's first release if needed
        more = {
            "can_judge": ports.judge() is not None,
            "suites": gates(),
            "choices": _choices(),
            "may_write": self._may(request, pages.WRITE),
        }
        return super().changelist_view(request, {**(extra_context or {}), **more})

    def row_page(self, request: HttpRequest, row_id: str) -> HttpResponse:
        return pages.release_page(request, row_id)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        one = "<uuid:release_id>/"
        posts = {
            "publish": pages.publish,
            "evaluate": pages.evaluate,
            "restore": pages.restore,
            "discard": pages.discard,
        }
        return [
            path("new/", wrap(require_POST(pages.new)), name="release-new"),
            path("gates/", wrap(require_POST(pages.choose_gates)), name="release-gates"),
            path(f"{one}edit/", wrap(pages.edit_page), name="release-edit"),
            path(f"{one}replay/", wrap(replay_page), name="release-replay"),
            *(path(f"{one}{name}/", wrap(require_POST(view)), name=f"release-{name}") for name, view in posts.items()),
            *super().get_urls(),
        ]

    def name_of(self, row: Any) -> str:
        return name_of(row)


@dataclass(frozen=True, slots=True)
class Choice:
    """A suite that can be a gate. A deleted suite that is still a gate is listed too, so that it can be removed."""

    name: str
    title: str
    is_gate: bool
    is_deleted: bool


def _choices() -> list[Choice]:
    named, suites = gates(), {suite.name: suite.title for suite in Suite.objects.order_by("name")}
    known = [Choice(name, title, name in named, is_deleted=False) for name, title in suites.items()]
    return known + [Choice(name, "", is_gate=True, is_deleted=True) for name in named if name not in suites]


def name_of(row: Release) -> str:
    return pages.title_of(row)


def state_tag(row: Release) -> SafeString:
    return tag(KINDS[row.state], row.get_state_display())
