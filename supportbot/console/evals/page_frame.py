"""Code shared by all pages for evaluations: the rights that they need, and their frame."""

from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from supportbot.errors import NotFound

READ: Final = "evals:read"
WRITE: Final = "evals:write"
PER_PAGE: Final = 50


def uuid_of(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound() from error


def render_page(
    request: HttpRequest, template: str, title: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    frame = {**admin.site.each_context(request), "title": title}
    return render(request, f"console/evals/{template}.html", {**frame, **context}, status=status)
