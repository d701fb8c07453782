"""The lists of suites and runs in the console, and the URLs of their pages."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from supportbot.console.base import RowPagesAdmin
from supportbot.console.display import moment_in_words
from supportbot.console.evals import case_pages, hidden_verdicts, labelling, run_pages, suite_pages
from supportbot.console.evals.page_frame import READ, WRITE
from supportbot.console.evals.result_rows import result_of, state_tag
from supportbot.evals.models import Run, Suite
from supportbot.evals.selectors import runs


@admin.register(Suite)
class SuiteAdmin(RowPagesAdmin):
    many = _("Evaluations")
    none_yet = _(
        "A suite contains questions and defines what a good answer is. Create one, or use one that comes with "
        "SupportBot."
    )
    view_right, change_right = READ, WRITE
    change_list_template = "console/evals/suites.html"
    list_display = ["named", "cases_of", "last_run", "last_result", "changed"]
    ordering = ["name"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        newest = runs().filter(suite=OuterRef("pk")).values("pk")[:1]
        rows: QuerySet[Any] = super().get_queryset(request).annotate(count=Count("cases"), newest=Subquery(newest))
        return rows

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the list. The last run of each suite is loaded in a single query."""
        shown = super().get_changelist_instance(request)
        last = runs().in_bulk([suite.newest for suite in shown.result_list if suite.newest])
        hidden = hidden_verdicts.hidden_runs(request, last.values())
        for suite in shown.result_list:
            suite.last, suite.is_hidden = last.get(suite.newest), suite.newest in hidden
        return shown

    @admin.display(description=_("Suite"), ordering="title")
    def named(self, suite: Suite) -> str:
        return suite.title

    @admin.display(description=_("Cases"))
    def cases_of(self, suite: Any) -> int:
        return int(suite.count)

    @admin.display(description=_("Last run"))
    def last_run(self, suite: Any) -> SafeString | str:
        if suite.last is None:
            return "–"
        if suite.last.release_number is None:
            return state_tag(suite.last, is_hidden=suite.is_hidden)
        release = gettext("release {number}").format(number=suite.last.release_number)
        return format_html(
            '{} <span class="muted">{}</span>', state_tag(suite.last, is_hidden=suite.is_hidden), release
        )

    @admin.display(description=_("Result"))
    def last_result(self, suite: Any) -> str:
        return result_of(suite.last, is_hidden=suite.is_hidden) if suite.last else "–"

    @admin.display(description=_("Changed"), ordering="updated_at")
    def changed(self, suite: Suite) -> str:
        return moment_in_words(suite.updated_at)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        more = {"may_write": self._may(request, WRITE)}
        return super().changelist_view(request, {**(extra_context or {}), **more})

    def row_page(self, request: HttpRequest, row_id: str) -> HttpResponse:
        return suite_pages.suite_page(request, row_id)

    def get_urls(self) -> list[URLPattern]:
        wrap, one = self.admin_site.admin_view, "<uuid:suite_id>/"
        return [
            path("new/", wrap(suite_pages.edit), name="evals_suite_new"),
            path("shipped/", wrap(require_POST(suite_pages.take_shipped)), name="evals_suite_shipped"),
            path(f"{one}edit/", wrap(suite_pages.edit), name="evals_suite_edit"),
            path(f"{one}export/", wrap(suite_pages.export), name="evals_suite_export"),
            path(f"{one}remove/", wrap(require_POST(suite_pages.delete)), name="evals_suite_remove"),
            path(f"{one}run/", wrap(require_POST(run_pages.start)), name="evals_suite_run"),
            path(f"{one}case/", wrap(case_pages.edit_case), name="evals_suite_newcase"),
            path(f"{one}case/<str:key>/", wrap(case_pages.edit_case), name="evals_suite_case"),
            path(
                "of-chat/<uuid:conversation_id>/", wrap(case_pages.case_from_chat), name="chat_conversation_evaluation"
            ),
            path("of-answer/<uuid:message_id>/", wrap(case_pages.case_from_answer), name="answer-case"),
            path("of-finding/<slug:kind>/<uuid:subject>/", wrap(case_pages.case_from_finding), name="finding-case"),
            *super().get_urls(),
        ]


@admin.register(Run)
class RunAdmin(RowPagesAdmin):
    many = _("Runs")
    none_yet = _("No suite has been run yet. Open one under Evaluations and start its first run.")
    view_right, change_right = READ, WRITE
    list_display = ["suite_of", "state_of", "result", "release", "at"]
    ordering = ["-created_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.select_related("suite").defer("cases")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the list. Runs are marked if this person must not see their outcome before labelling."""
        shown = super().get_changelist_instance(request)
        hidden = hidden_verdicts.hidden_runs(request, list(shown.result_list))
        for run in shown.result_list:
            run.is_hidden = run.pk in hidden
        return shown

    @admin.display(description=_("Suite"), ordering="suite_name")
    def suite_of(self, run: Run) -> str:
        return run.suite.title if run.suite else run.suite_name

    @admin.display(description=_("State"))
    def state_of(self, run: Any) -> SafeString:
        return state_tag(run, is_hidden=run.is_hidden)

    @admin.display(description=_("Result"))
    def result(self, run: Any) -> str:
        return result_of(run, is_hidden=run.is_hidden)

    @admin.display(description=_("Release"))
    def release(self, run: Run) -> int | None:
        return run.release_number

    @admin.display(description=_("When"), ordering="created_at")
    def at(self, run: Run) -> str:
        return moment_in_words(run.created_at)

    def row_page(self, request: HttpRequest, row_id: str) -> HttpResponse:
        return run_pages.run_page(request, row_id)

    def get_urls(self) -> list[URLPattern]:
        wrap, one = self.admin_site.admin_view, "<uuid:run_id>/"
        return [
            path("label/", wrap(labelling.label_queue), name="evals_run_labels"),
            path("label/<uuid:result_id>/", wrap(require_POST(labelling.save_label)), name="evals_result_label"),
            path(f"{one}cancel/", wrap(require_POST(run_pages.cancel)), name="evals_run_cancel"),
            path(f"{one}show/", wrap(require_POST(hidden_verdicts.show)), name="evals_run_show"),
            path(f"{one}resume/", wrap(require_POST(run_pages.resume)), name="evals_run_resume"),
            *super().get_urls(),
        ]
