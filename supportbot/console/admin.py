"""Registers everything in the console: importing a module registers its lists; other pages are added here."""

from typing import cast

from django.contrib import admin
from django.contrib.auth.models import Group
from django.urls import path

from supportbot.console import (  # noqa: F401  # each module registers its admin classes
    apikeys,
    calls,
    channels,
    conversations,
    requests,
    rules,
    team,
    workspaces,
)
from supportbot.console.articles import listing, shelves  # noqa: F401
from supportbot.console.articles.asking import ask_page
from supportbot.console.articles.importing import import_page, import_state
from supportbot.console.quality import quality_as_csv
from supportbot.console.site import ConsoleSite
from supportbot.console.unanswered import unanswered

site = cast(ConsoleSite, admin.site)
site.add_pages(
    path("ask/", ask_page, name="ask"),
    path("import/", import_page, name="import"),
    path("import/state/", import_state, name="import-state"),
    path("overview.csv", quality_as_csv, name="overview-csv"),
    path("unanswered/", unanswered, name="unanswered"),
)
site.index_title = "Overview"
# Django's groups grant nothing here, so they are not offered.
site.unregister(Group)
