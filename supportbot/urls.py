"""Every address of the installation; the views of /api/v1 live in each room's api.py."""

from django.contrib import admin
from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from supportbot import health, pages

urlpatterns = [
    path("", pages.home, name="home"),
    path("admin/", admin.site.urls),
    path("livez", health.livez),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/v1/docs/", pages.api_docs, name="docs"),
]
