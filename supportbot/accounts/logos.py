"""A workspace's logo: uploaded, re-encoded, and served from a URL with the hash of its content."""

from typing import Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.views.decorators.http import require_safe

from supportbot.accounts.models import Logo, Workspace
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.accounts.stored_pictures import StoredPicture

_POLICY: Final = "default-src 'none'; sandbox"
_CACHE: Final = "public, max-age=31536000, immutable"


def set_logo(workspace: Workspace, drawn: StoredPicture) -> Logo:
    """Store a workspace's logo, a small PNG file. It replaces any earlier one."""
    facts = {"png": drawn.content, "digest": drawn.digest, "width": drawn.width, "height": drawn.height}
    with workspace_scope(workspace.pk):
        return Logo.objects.update_or_create(workspace=workspace, defaults=facts)[0]


def remove_logo(workspace: Workspace) -> None:
    with workspace_scope(workspace.pk):
        Logo.objects.filter(workspace=workspace).delete()


def logo_of(workspace: Workspace) -> Logo | None:
    """Return a workspace's logo without its bytes, or None."""
    with workspace_scope(workspace.pk):
        return Logo.objects.filter(workspace=workspace).defer("png").first()


def logo_path(workspace: Workspace) -> str:
    """Return the path of a workspace's logo, or "" if it has none."""
    logo = logo_of(workspace)
    return reverse("logo", args=[logo.digest]) if logo else ""


def logo_url(workspace: Workspace) -> str:
    """Return the absolute URL of a workspace's logo, for use on other sites; "" if it has none."""
    path = logo_path(workspace)
    return f"{settings.BASE_URL}{path}" if path else ""


@require_safe
def logo(request: HttpRequest, digest: str) -> HttpResponse:
    """Serve a logo. Its URL changes with its content."""
    with across_workspaces("look-up by the logo's digest"):
        found = Logo.objects.filter(digest=digest).first()
    if found is None:
        raise Http404
    response = HttpResponse(bytes(found.png), content_type="image/png")
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Cache-Control"] = _CACHE
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


urls = [path("logo/<slug:digest>.png", logo, name="logo")]
