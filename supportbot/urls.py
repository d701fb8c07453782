"""All URLs of the installation; the views of /api/v1 are in each package's api.py."""

from django.contrib import admin
from django.urls import include, path

from actions import api as actions_api
from kb import api as kb_api
from kb import views as kb_views
from supportbot import health, openapi, pages
from supportbot.accounts import api as accounts_api
from supportbot.chat import api as chat_api
from supportbot.console import passwords
from supportbot.handoff import api as handoff_api
from supportbot.handoff import urls as desk
from supportbot.widget import api as widget_api
from supportbot.widget import assets as widget_assets
from supportbot.widget import hosted

handler400 = pages.bad_request
handler403 = pages.forbidden
handler404 = pages.missing
handler500 = pages.failed

rooms = [accounts_api, kb_api, actions_api, chat_api, handoff_api, widget_api]

urlpatterns = [
    path("", pages.home, name="home"),
    path("admin/", include(passwords.urls)),
    path("admin/", admin.site.urls),
    path("livez", health.livez),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("api/v1/schema/", openapi.Schema.as_view(), name="schema"),
    path("api/v1/docs/", pages.api_docs, name="docs"),
    *(path("api/v1/", include(room.urls)) for room in rooms),
    path("desk/", include(desk.urls)),
    *kb_views.urls,
    *hosted.urls,
    *widget_assets.urls,
]
