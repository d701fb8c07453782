"""The two pages that belong to the installation itself: what runs here, and the API's documentation."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from supportbot.accounts.models import Workspace


def home(request: HttpRequest) -> HttpResponse:
    """Show what runs here and where to go."""
    workspaces = list(Workspace.objects.order_by("name"))
    shop = f"http://127.0.0.1:{settings.SHOP_PORT}/" if settings.HOST in {"127.0.0.1", "localhost"} else ""
    return render(request, "pages/home.html", {"workspaces": workspaces, "shop_url": shop})


def api_docs(request: HttpRequest) -> HttpResponse:
    """Show how to call the API, with a link to the schema any OpenAPI tool reads."""
    return render(request, "pages/api_docs.html", {"base_url": settings.BASE_URL})
