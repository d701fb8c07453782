"""All URLs of the installation. The views below /api/v1 are in each package's api.py."""

from django.contrib import admin
from django.urls import include, path

from actions import api as actions_api
from kb import api as kb_api
from kb import pictures
from kb.help_centre import crawler_files
from kb.help_centre import views as kb_views
from supportbot import home_and_error_pages, openapi
from supportbot.accounts import api as accounts_api
from supportbot.accounts import first_administrator, logos, page_language
from supportbot.assistant import help_centre_answer
from supportbot.chat import api as chat_api
from supportbot.console import passwords, workspaces
from supportbot.evals import api as evals_api
from supportbot.evals.articles import api as publications_api
from supportbot.evals.replays import api as replay_api
from supportbot.handoff import api as handoff_api
from supportbot.handoff.desk import views as desk
from supportbot.insights import api as insights_api
from supportbot.insights.improve import api as findings_api
from supportbot.mcp import confirmation_page as confirmation
from supportbot.releases import api as releases_api
from supportbot.webhooks import api as webhooks_api
from supportbot.widget import api as widget_api
from supportbot.widget import assets as widget_assets
from supportbot.widget import hosted_page, receipt_page

handler400 = home_and_error_pages.bad_request
handler403 = home_and_error_pages.forbidden
handler404 = home_and_error_pages.missing
handler500 = home_and_error_pages.failed

apis = [
    accounts_api,
    releases_api,
    kb_api,
    actions_api,
    chat_api,
    handoff_api,
    webhooks_api,
    widget_api,
    evals_api,
    replay_api,
    insights_api,
    findings_api,
    publications_api,
]

urlpatterns = [
    path("", home_and_error_pages.home, name="home"),
    path("admin/", include(passwords.urls)),
    path("admin/", include(first_administrator.urls)),
    path("admin/", include(page_language.urls)),
    path("admin/", include(workspaces.urls)),
    path("admin/", admin.site.urls),
    path("api/v1/schema/", openapi.Schema.as_view(), name="schema"),
    path("api/v1/docs/", home_and_error_pages.api_docs, name="docs"),
    *(path("api/v1/", include(api.urls)) for api in apis),
    path("desk/", include(desk.urls)),
    *logos.urls,
    *help_centre_answer.urls,
    *pictures.urls,
    *crawler_files.urls,
    *kb_views.urls,
    *hosted_page.urls,
    *confirmation.urls,
    *receipt_page.urls,
    *widget_assets.urls,
]
