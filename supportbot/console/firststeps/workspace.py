"""The page on which the first administrator creates the first workspace: since every other page needs one."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import get_language, gettext

from supportbot.console.entry import enter, needs_workspace, person_of
from supportbot.console.workspaces import NewWorkspaceForm, create_with_admin


@login_required(login_url="admin:login")
def first_workspace(request: HttpRequest) -> HttpResponse:
    """Show the form; create the workspace with this person as its admin, and switch to it."""
    if not needs_workspace(request.user):
        return redirect("admin:index")
    form = NewWorkspaceForm(request.POST or None, request.FILES or None, initial={"locale": get_language() or "en"})
    if request.method == "POST" and form.is_valid():
        workspace = create_with_admin(person_of(request), form.cleaned_data)
        enter(request, workspace.pk)
        return redirect("admin:index")
    context = {"title": gettext("Create your workspace"), "form": form}
    return render(request, "console/firststeps/workspace.html", context, status=422 if form.errors else 200)


urls = [path("first-workspace/", first_workspace, name="first-workspace")]
