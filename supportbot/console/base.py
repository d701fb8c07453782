"""The base of every admin class: rows, choices and look-ups are limited to the current workspace, and rights depend on
the role.

A new admin class declares its rights and is then protected: other workspaces cannot see its rows, and people without
the right cannot see its pages. A test checks all registered classes (tests/console).
"""

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import BaseModelAdmin
from django.contrib.admin.views.main import ERROR_FLAG, SEARCH_VAR
from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from django.db.models import ForeignKey, Model, QuerySet
from django.forms import ModelChoiceField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext, gettext_noop
from unfold.admin import ModelAdmin

from supportbot.accounts.models import Membership, TenantModel, User, Workspace
from supportbot.accounts.scope import current_workspace_id, workspace_scope
from supportbot.console.display import error_text
from supportbot.console.permissions import may
from supportbot.console.request_context import person_of, staff_here, workspaces_of
from supportbot.errors import InvalidInput, NotAllowed, NotFound, SupportBotError
from supportbot.team_formats import listed
from supportbot.values_saved_meanwhile import KEPT, KeepsNewerValues

NOTHING_SELECTED: Final = gettext_noop("Select one or more rows, then choose an action.")

THEME_TEXTS: Final = (gettext_noop("Select action"), gettext_noop("Select record"))  # the theme has no catalogues

if TYPE_CHECKING:  # generic for the type checker only
    from django.utils.functional import _StrOrPromise as Text

    _Base = BaseModelAdmin[Any]
    _Paginator = Paginator[Any]
else:
    _Base, _Paginator = BaseModelAdmin, Paginator


class Scoped(_Base):
    """Limits an admin class to the current workspace and to the roles that may use it.

    Lists and pages need `view_right`, and changes need `change_right`, without which rows are read-only. Adding and
    deleting must be enabled in each class, since most objects are archived or revoked instead.
    """

    view_right: ClassVar[str]
    change_right: ClassVar[str] = ""
    can_add: ClassVar[bool] = False
    can_delete: ClassVar[bool] = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return of_this_workspace(super().get_queryset(request))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request, self.view_right)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(self.change_right) and self._may(request, self.change_right)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.can_add and self.has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.can_delete and self.has_change_permission(request)

    def _may(self, request: HttpRequest, right: str) -> bool:
        person = staff_here(request)
        return person is not None and may(person, right)

    def formfield_for_foreignkey(
        self, db_field: "ForeignKey[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> "ModelChoiceField[Any] | None":
        kwargs.setdefault("queryset", of_this_workspace(db_field.related_model._default_manager.all()))
        field: ModelChoiceField[Any] | None = super().formfield_for_foreignkey(db_field, request, **kwargs)
        return field


class PageByIds(_Paginator):
    """Finds the ids on a page first. Otherwise, the database would compute joins and subqueries for every skipped row,
    such as the first words of 150,000 conversations for page 3,000.
    """

    def page(self, number: int | str) -> "Page[Any]":
        found: Page[Any] = super().page(number)
        rows: Any = self.object_list
        if found.number > 1 and isinstance(rows, QuerySet):
            listed: Any = found.object_list
            found.object_list = rows.filter(pk__in=list(listed.values_list("pk", flat=True)))
        return found


class ScopedAdmin(Scoped, ModelAdmin):
    many: ClassVar["Text"]  # the list's name on pages
    new: ClassVar["Text"] = ""  # the label of the button that adds a row, and the title of its page
    none_yet: ClassVar["Text"] = ""  # shown in an empty list; explains how rows are added
    empty_value_display = "–"
    list_per_page = 50
    paginator = PageByIds
    show_full_result_count = False
    actions: Any = None  # none, unless a class defines its own

    def next_steps(self, request: HttpRequest) -> list[tuple[str, "Text"]]:
        """Return the buttons shown on an empty list, as (address, label)."""
        if not self.has_add_permission(request):
            return []
        return [(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_add"), self.new)]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        shown: Any = super().get_changelist_instance(request)
        shown.next_steps = self.next_steps(request)  # the list's template receives no other context
        return shown

    def name_of(self, row: Any) -> str:
        """Return the name that pages show for a row."""
        return str(row)

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Return the template context that a row's page needs in addition to the form."""
        return {}

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:  # reload, because an invalid form has already changed `obj`
            stored = self.get_queryset(request).get(pk=obj.pk)
            context.update({"subtitle": self.name_of(stored), **self.page_context(request, stored)})
        answer: HttpResponse = super().render_change_form(request, context, *args, obj=obj, **kwargs)
        return answer

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list.

        If a filter contains a NUL, show the unfiltered list, as Django does for other invalid filters.
        """
        filters = (value for name, values in request.GET.lists() if name != SEARCH_VAR for value in values)
        if any("\0" in value for value in filters):
            return redirect(f"{request.path}?{ERROR_FLAG}=1")
        if request.method == "POST" and "action" in request.POST and ACTION_CHECKBOX_NAME not in request.POST:
            messages.warning(request, gettext(NOTHING_SELECTED))
            return redirect(request.get_full_path())
        response: HttpResponse = super().changelist_view(request, extra_context)
        return response

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form. If a service refuses a change, the form is shown again with what was entered, and says why."""
        try:
            response: HttpResponse = super().changeform_view(request, *args, **kwargs)
        except (NotAllowed, NotFound):
            raise
        except SupportBotError as refusal:
            request.refusal = refusal  # type: ignore[attr-defined]  # for `get_form`
            for _, uploads in request.FILES.lists():
                for upload in uploads:
                    upload.seek(0)
            response = super().changeform_view(request, *args, **kwargs)
        return response

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        if obj is not None:
            form = type(form.__name__, (KeepsNewerValues, form), {"Meta": form.Meta})
        refusal: SupportBotError | None = getattr(request, "refusal", None)
        return form if refusal is None else refused_form(form, refusal)

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        """Tell the person which of their other workspaces has the row, since a link in an e-mail does not choose a
        workspace.

        Raises NotFound if none of them has it.
        """
        for workspace in workspaces_of(person_of(request)).exclude(pk=current_workspace_id()):
            with workspace_scope(workspace.pk):
                is_there = self.get_object(request, object_id) is not None
            if is_there:
                text = gettext(
                    "This page belongs to your workspace {workspace}. Choose it at the top of the navigation, then "
                    "open the link again."
                )
                messages.warning(request, text.format(workspace=workspace.name))
                return redirect("admin:index")
        raise NotFound()

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        report_kept(request, form)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Log what was changed. Saving an unchanged form logs nothing."""
        return super().log_change(request, obj, message) if message else None

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self._response_saved(request, obj)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return self._response_saved(request, obj)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        messages.success(request, gettext("Deleted."))
        return self._redirect_to("changelist")

    def _response_saved(self, request: HttpRequest, row: Any) -> HttpResponse:
        messages.success(request, gettext("Saved: {name_of}.").format(name_of=self.name_of(row)))
        if "_continue" in request.POST:
            return self._redirect_to("change", row.pk)
        back: HttpResponse = self.response_post_save_change(request, row)  # back to the list with its filters
        return back

    def _redirect_to(self, page: str, *ids: Any) -> HttpResponse:
        return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}", *ids)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        try:
            answer: HttpResponse | None = super().response_action(request, queryset)
        except ValidationError as error:  # a selected value that is not an id
            raise InvalidInput(gettext(NOTHING_SELECTED)) from error
        return answer


def report_kept(request: HttpRequest, form: Any) -> None:
    """Say which newer values a form has kept that someone else has saved while it was open."""
    if kept := getattr(form, "kept_labels", ()):
        messages.info(request, gettext(KEPT).format(fields=listed(kept)))


def refused_form(form: Any, refusal: SupportBotError) -> Any:
    """Return the form class with a service's refusal as errors: of the fields that it names, or of the form."""

    class Refused(form):
        def full_clean(self) -> None:
            super().full_clean()
            named = {name: texts for name, texts in refusal.fields.items() if name in self.fields}
            for name, texts in named.items():
                self.add_error(name, list(texts))
            others = {name: texts for name, texts in refusal.fields.items() if name not in named}
            if others or not named:
                self.add_error(None, error_text(SupportBotError(refusal.message, fields=others)))

    return Refused


def of_this_workspace(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return only the rows of the current workspace. Raises TypeError if the model has no workspace."""
    model, here = rows.model, current_workspace_id()
    if issubclass(model, TenantModel | Membership):
        return rows.filter(workspace_id=here)
    if model is User:
        return rows.filter(memberships__workspace_id=here)
    if model is Workspace:
        return rows.filter(pk=here)
    raise TypeError(f"{model.__name__} belongs to no workspace, so the console cannot show it.")


class RowPagesAdmin(ScopedAdmin):
    """A list whose rows have their own pages instead of the admin's forms."""

    def row_page(self, request: HttpRequest, row_id: str) -> HttpResponse:
        """Return a row's page."""
        raise NotImplementedError  # each list has its own

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return self.row_page(request, object_id or "")
