"""Registers all pages of the console. Importing a module registers its lists; the remaining pages are added here."""

from typing import cast

from django.contrib import admin
from django.contrib.auth.models import Group
from django.urls import path
from django.utils.translation import gettext_lazy as _

from supportbot.console import (  # noqa: F401  # each module registers its admin classes
    api_keys,
    audit_trail,
    channels,
    connections,
    llm_models,
    model_calls,
    team,
    webhooks,
    workspaces,
)
from supportbot.console.actions import requests, rules  # noqa: F401
from supportbot.console.articles import categories, collections, listing, synonyms  # noqa: F401
from supportbot.console.articles.ask_as_customer import ask_page
from supportbot.console.articles.import_page import import_page, import_state
from supportbot.console.conversations import conversation_pages, customers  # noqa: F401
from supportbot.console.conversations.results_page import former_csv, results, results_as_csv
from supportbot.console.conversations.turn_trace import trace
from supportbot.console.definitions import listing as definitions  # noqa: F401
from supportbot.console.evals import listing as evals  # noqa: F401
from supportbot.console.improve.broken_case import broken_case
from supportbot.console.improve.contradiction import contradiction
from supportbot.console.improve.group import group
from supportbot.console.improve.listing import improve, old_page
from supportbot.console.overview import overview_page
from supportbot.console.releases import listing as releases  # noqa: F401
from supportbot.console.setup_checklist import decide
from supportbot.console.site import ConsoleSite
from supportbot.console.sources import listing as sources  # noqa: F401

site = cast(ConsoleSite, admin.site)
site.add_pages(
    path("ask/", ask_page, name="ask"),
    path("first-steps/", decide, name="first-steps"),
    path("customers/<uuid:customer_id>/export/", customers.export, name="customer-export"),
    path("customers/<uuid:customer_id>/erase/", customers.erase, name="customer-erase"),
    path("import/", import_page, name="import"),
    path("import/state/", import_state, name="import-state"),
    path("results/", results, name="results"),
    path("results.csv", results_as_csv, name="results-csv"),
    path("overview.csv", former_csv, name="overview-csv"),
    path("improve/", improve, name="improve"),
    path("improve/broken/<str:case>/", broken_case, name="improve-broken"),
    path("improve/contradicting/<uuid:subject>/", contradiction, name="improve-contradiction"),
    path("improve/<slug:kind>/<uuid:subject>/", group, name="improve-group"),
    path("trace/<uuid:message_id>/", trace, name="trace"),
    path("unanswered/", old_page, name="unanswered"),
)
site.set_front_page(overview_page)
site.index_title = _("Overview")
# Django's groups grant nothing here, so they are not offered.
site.unregister(Group)
