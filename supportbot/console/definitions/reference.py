"""The reference of expressions and templates, for those who write definitions."""

from functools import cache
from pathlib import Path
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

import actions.definitions
from kb.rendering import RenderedArticle, render_article
from supportbot.console.definitions.page_frame import READ_RIGHT, frame
from supportbot.console.request_context import needs

# These chapters of docs/definitions.md, which is not part of an installation.
_CHAPTERS: Final = Path(actions.definitions.__file__).with_name("expressions.md")


def expressions_page(request: HttpRequest) -> HttpResponse:
    """Show all names, functions and operators, the grammar, and what templates may contain."""
    needs(request, READ_RIGHT)
    context = frame(request, gettext("Expressions and templates"), reference=_reference())
    return render(request, "console/definitions/expressions.html", context)


@cache
def _reference() -> RenderedArticle:
    return render_article("", _CHAPTERS.read_text(encoding="utf-8"))
