"""Actions in the console: the built-in ones and the workspace's own definitions, each with its page.

This module only routes. Each page is a function in its own module, and checks rights before anything else.
"""

from typing import Any, Final

from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from actions.definitions.models import ActionDefinition, ActionDefinitionVersion
from actions.definitions.services import missing_in
from actions.models import ActionPolicy
from actions.policy_store import switch_off_built_in
from actions.registry import code_actions
from actions.spec import Action, WriteAction
from supportbot.console.base import RowPagesAdmin
from supportbot.console.definitions import cases, creating, editing, publishing, suggested_texts, trials, versions
from supportbot.console.definitions.page_frame import (
    READ_RIGHT,
    RULES_RIGHT,
    WRITE_RIGHT,
    actor_of_request,
    kind_words,
    state_tag,
    title_in,
)
from supportbot.console.display import tag
from supportbot.console.filters import LabelledFilter
from supportbot.console.permissions import may
from supportbot.console.request_context import needs, staff
from supportbot.team_formats import active_language, listed

State = ActionDefinition.State
STATES: Final = {
    State.PUBLISHED: gettext_noop("Published"),
    State.DRAFT: gettext_noop("Draft"),
    State.DISABLED: gettext_noop("Off"),
}


class StateFilter(LabelledFilter):
    title = _("state")
    parameter_name = "state"
    words = {str(state): words for state, words in STATES.items()}


@admin.register(ActionDefinition)
class DefinitionAdmin(RowPagesAdmin):
    many = _("Actions")
    new = _("New action")
    none_yet = _("Define an action so that the assistant can do something in one of your systems.")
    view_right = READ_RIGHT
    change_right = WRITE_RIGHT
    can_add = True
    change_list_template = "console/definitions/list.html"
    list_display = ["title", "shown_state", "kind", "connection", "version", "gaps"]
    list_filter = [StateFilter]
    search_fields = ["name"]
    ordering = ["name"]
    list_select_related = ["current"]
    actions = ["delete_ticked"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        newest = ActionDefinitionVersion.objects.filter(definition=OuterRef("pk")).order_by("-number")
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.annotate(  # type: ignore[no-any-return]  # the stubs lose it
            newest_number=Subquery(newest.values("number")[:1]), newest_document=Subquery(newest.values("document")[:1])
        )

    @admin.display(description=_("Action"), ordering="name")
    def title(self, row: Any) -> SafeString:
        return format_html('{} <code class="sub">{}</code>', title_in(row.newest_document, row.name), row.name)

    @admin.display(description=_("State"), ordering="state")
    def shown_state(self, row: Any) -> SafeString:
        return state_tag(row)

    @admin.display(description=_("Kind"))
    def kind(self, row: Any) -> str:
        return kind_words(row.newest_document or {})

    @admin.display(description=_("Connection"))
    def connection(self, row: Any) -> str:
        return str((row.newest_document or {}).get("connection") or gettext("none yet"))

    @admin.display(description=_("Version"))
    def version(self, row: Any) -> str:
        if row.current is None or row.current.number == row.newest_number:
            return str(row.newest_number or "")
        return gettext("{live}, draft {newest}").format(live=row.current.number, newest=row.newest_number)

    @admin.display(description=_("Missing"))
    def gaps(self, row: Any) -> SafeString | str:
        lacks = len(missing_in(row.newest_document or {}))
        return tag("warn", str(lacks)) if lacks else gettext("nothing")

    @admin.action(description=_("Delete drafts"), permissions=["change"])
    def delete_ticked(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse:
        return publishing.confirm_deletion(request, rows)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        of_release = _of_release()
        has_own = ActionDefinition.objects.filter(state=State.PUBLISHED).exists()
        may_switch = may(staff(request), RULES_RIGHT) and any(one["is_enabled"] for one in of_release)
        context = {"of_release": of_release, "competes": has_own and may_switch}
        return super().changelist_view(request, {**(extra_context or {}), **context})

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return creating.new_page(request)

    def row_page(self, request: HttpRequest, row_id: str) -> HttpResponse:
        return editing.overview_page(request, row_id)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        one = "<uuid:definition_id>/"
        return [
            path("operations/", wrap(creating.operations_page), name="actiondefinition-operations"),
            path("built-in/off/", wrap(require_POST(switch_off_all)), name="actiondefinition-built-in-off"),
            path("delete/", wrap(publishing.delete_page), name="actiondefinition-delete"),
            path("expressions/", wrap(editing.expressions_page), name="actiondefinition-expressions"),
            path(f"{one}part/<slug:slug>/", wrap(editing.part_page), name="actiondefinition-part"),
            path(f"{one}texts/", wrap(require_POST(suggested_texts.take_texts)), name="actiondefinition-texts"),
            path(f"{one}document/", wrap(editing.document_page), name="actiondefinition-document"),
            path(f"{one}versions/", wrap(versions.versions_page), name="actiondefinition-versions"),
            path(f"{one}restore/", wrap(versions.restore), name="actiondefinition-restore"),
            path(f"{one}test/", wrap(trials.test_page), name="actiondefinition-test"),
            path(f"{one}cases/", wrap(cases.cases_page), name="actiondefinition-cases"),
            path(f"{one}cases/add/", wrap(cases.case_page), name="actiondefinition-case-add"),
            path(f"{one}cases/<uuid:case_id>/", wrap(cases.case_page), name="actiondefinition-case"),
            path(f"{one}publish/", wrap(publishing.publish_page), name="actiondefinition-publish"),
            path(f"{one}off/", wrap(require_POST(publishing.switch_off)), name="actiondefinition-off"),
            *super().get_urls(),
        ]

    def name_of(self, row: Any) -> str:
        return str(row.name)


def switch_off_all(request: HttpRequest) -> HttpResponse:
    """Switch off every built-in action, so that customers' requests reach the workspace's own actions."""
    needs(request, RULES_RIGHT)
    names = switch_off_built_in(actor=actor_of_request(request))
    if names:
        words = gettext("Switched off: {names}. Nothing more is sent for them. Switch each on again under its rules.")
        messages.success(request, words.format(names=listed(names)))
    return redirect("admin:actions_actiondefinition_changelist")


def _kind(action: Action) -> str:
    return "write" if isinstance(action, WriteAction) else "read"


def _of_release() -> list[dict[str, Any]]:
    """Return the built-in actions with their rules."""
    rules = {policy.action: policy for policy in ActionPolicy.objects.filter(action__in=code_actions())}
    return [
        {
            "name": name,
            "title": action.title_in(active_language()),
            "kind": kind_words({"kind": _kind(action), "risk": action.risk.value}),
            "rules": rules[name].pk if name in rules else None,
            "is_enabled": name in rules and rules[name].is_enabled,
        }
        for name, action in code_actions().items()
    ]
