"""The console's shell. Its own pages come in a later version; Django's groups grant nothing here: none are offered."""

from django.contrib import admin
from django.contrib.auth.models import Group

admin.site.index_title = "Console"
admin.site.unregister(Group)
