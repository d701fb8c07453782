"""What every admin class here derives from: rows, choices and look-ups of one's own workspace, rights by role.

A new admin class names two rights and is then covered: strangers see none of its rows, whoever lacks the right none of
its pages (tests/console walks over all that are registered).
"""

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import BaseModelAdmin
from django.contrib.admin.views.main import ERROR_FLAG, SEARCH_VAR
from django.core.exceptions import ValidationError
from django.db.models import ForeignKey, Model, QuerySet
from django.forms import ModelChoiceField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.admin import ModelAdmin

from supportbot.accounts.models import Membership, TenantModel, User, Workspace
from supportbot.accounts.scope import current_workspace_id
from supportbot.console.entry import staff_here
from supportbot.console.rights import may
from supportbot.console.words import sentence
from supportbot.errors import InvalidInput, NotAllowed, NotFound, SupportBotError

TICK_FIRST: Final = "Select one or more rows, then choose an action."

if TYPE_CHECKING:  # generic for the type checker only
    _Base = BaseModelAdmin[Any]
else:
    _Base = BaseModelAdmin


class Scoped(_Base):
    """Keeps a class of pages inside the log-in's workspace and to the roles that may use them.

    `view_right` opens lists and pages. `change_right` changes rows; without one the rows are only read. Rows are added
    and deleted where a class says so, since most of what is here is archived or revoked instead.
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


class ScopedAdmin(Scoped, ModelAdmin):
    one: ClassVar[str] = ""  # what pages call a row, and the list; the model's own names unless they are jargon
    many: ClassVar[str] = ""
    none_yet: ClassVar[str] = ""  # what an empty list says of how it fills
    empty_value_display = "–"
    list_per_page = 50
    show_full_result_count = False
    actions: Any = None  # bulk actions are named by the class that has them

    def name_of(self, row: Any) -> str:
        """Return what pages call this row."""
        return str(row)

    def told(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Return what the row's page shows besides its form."""
        return {}

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:  # read again: a form that was refused has written what was typed into the other
            context.update(self.told(request, self.get_queryset(request).get(pk=obj.pk)))
        answer: HttpResponse = super().render_change_form(request, context, *args, obj=obj, **kwargs)
        return answer

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list; an address that no filter can mean leads to the whole list, as Django's own unreadable do."""
        filters = (value for name, values in request.GET.lists() if name != SEARCH_VAR for value in values)
        if any("\0" in value for value in filters):
            return redirect(f"{request.path}?{ERROR_FLAG}=1")
        if request.method == "POST" and "action" in request.POST and ACTION_CHECKBOX_NAME not in request.POST:
            messages.warning(request, TICK_FIRST)
            return redirect(request.get_full_path())
        response: HttpResponse = super().changelist_view(request, extra_context)
        return response

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show what a service refuses as a sentence above the form, where a form's own checks did not say it first."""
        try:
            response: HttpResponse = super().changeform_view(request, *args, **kwargs)
        except (NotAllowed, NotFound):
            raise
        except SupportBotError as refusal:
            messages.error(request, sentence(refusal))
            return redirect(request.get_full_path())
        return response

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Write down what was changed; a form saved as it was changed nothing."""
        return super().log_change(request, obj, message) if message else None

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self._saved(request, obj)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return self._saved(request, obj)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        messages.success(request, "Deleted.")
        return self._to("changelist")

    def _saved(self, request: HttpRequest, row: Any) -> HttpResponse:
        messages.success(request, f"Saved: {self.name_of(row)}.")
        if "_continue" in request.POST:
            return self._to("change", row.pk)
        back: HttpResponse = self.response_post_save_change(request, row)  # to the list as it was filtered
        return back

    def _to(self, page: str, *ids: Any) -> HttpResponse:
        return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}", *ids)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        try:
            answer: HttpResponse | None = super().response_action(request, queryset)
        except ValidationError as error:  # a tick that is no id at all
            raise InvalidInput(TICK_FIRST) from error
        return answer


def of_this_workspace(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return those of the rows that belong to the scope's workspace; raises TypeError for a model that has none."""
    model, here = rows.model, current_workspace_id()
    if issubclass(model, TenantModel | Membership):
        return rows.filter(workspace_id=here)
    if model is User:
        return rows.filter(memberships__workspace_id=here)
    if model is Workspace:
        return rows.filter(pk=here)
    raise TypeError(f"{model.__name__} belongs to no workspace: the console has no page for it.")
