"""A workspace's logo: uploaded, re-encoded, and served from an address with its content's hash."""

import hashlib
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from supportbot.accounts.models import Logo, Workspace
from supportbot.accounts.png import MAX_BYTES, MAX_SIDE, NotReadable, TooLarge, rewritten
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.errors import InvalidInput

_POLICY: Final = "default-src 'none'; sandbox"
_CACHE: Final = "public, max-age=31536000, immutable"


def set_logo(workspace: Workspace, data: bytes) -> Logo:
    """Store a workspace's logo, replacing an earlier one; raises InvalidInput for anything but a small PNG file."""
    try:
        picture = rewritten(data)
    except TooLarge as error:
        raise InvalidInput(fields={"logo": [too_large()]}) from error
    except NotReadable as error:
        raise InvalidInput(fields={"logo": [not_readable()]}) from error
    digest = hashlib.sha256(picture.png).hexdigest()[:40]
    with workspace_scope(workspace.pk):
        logo, _ = Logo.objects.update_or_create(
            workspace=workspace,
            defaults={"png": picture.png, "digest": digest, "width": picture.width, "height": picture.height},
        )
    return logo


def too_large() -> str:
    told = gettext("Use a picture of at most {side} pixels per side and {kilobytes} KB.")
    return told.format(side=MAX_SIDE, kilobytes=MAX_BYTES // 1024)


def not_readable() -> str:
    return gettext("This is not a picture that can be shown safely. Use PNG, JPEG or WebP; SVG is not accepted.")


def remove_logo(workspace: Workspace) -> None:
    with workspace_scope(workspace.pk):
        Logo.objects.filter(workspace=workspace).delete()


def logo_of(workspace: Workspace) -> Logo | None:
    """Return a workspace's logo without its bytes."""
    with workspace_scope(workspace.pk):
        return Logo.objects.filter(workspace=workspace).defer("png").first()


def logo_path(workspace: Workspace) -> str:
    """Return the path of a workspace's logo; empty without one."""
    logo = logo_of(workspace)
    return reverse("logo", args=[logo.digest]) if logo else ""


@require_safe
def logo(request: HttpRequest, digest: str) -> HttpResponse:
    """Serve a logo; its address changes with its content."""
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
