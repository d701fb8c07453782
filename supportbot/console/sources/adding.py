"""Adding a source by its address or by dropping files. It is checked first; adding it publishes nothing."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext

from kb.importing.loaders.file_reading import MAX_FILE_BYTES as MAX_TEXT_BYTES
from kb.importing.loaders.format_detection import KNOWN_ENDINGS
from kb.sources.errors import InvalidSource
from kb.sources.models import SITE, UPLOADS, Source
from kb.sources.runs import Mode, begin
from kb.sources.services import add_source
from kb.sources.uploads import MAX_FILE_BYTES, add_files
from supportbot.console.request_context import needs, person_of
from supportbot.console.sources.forms import MOST_FILES, FilesForm, PlaceForm, SiteForm, collections, uploaded
from supportbot.errors import NotAllowed, SupportBotError


def add_page(request: HttpRequest) -> HttpResponse:
    """Show both forms. On a POST, add the source, start its dry run, and redirect to its page."""
    needs(request, "kb:write")
    typed = request.POST if request.method == "POST" else None
    is_site = typed is not None and typed.get("kind") != UPLOADS
    address = {"address": request.GET.get("address", "")[:2000]}
    site = SiteForm(typed, auto_id="site_%s") if is_site else SiteForm(initial=address, auto_id="site_%s")
    files = FilesForm(None if is_site else typed, auto_id="files_%s")
    if typed is not None:
        form = site if is_site else files
        if form.is_valid():
            try:
                source = _added(request, form)
            except NotAllowed:
                raise
            except SupportBotError as refusal:
                form.note(refusal)
            else:
                begin(source, Mode.CHECK, person=person_of(request))
                return redirect("admin:kb_source_change", source.pk)
    return _page(request, site, files)


def _added(request: HttpRequest, form: PlaceForm) -> Source:
    person = person_of(request)
    if isinstance(form, SiteForm):
        return add_source(SITE, form.changes(), person=person)
    if not request.FILES.getlist("files"):
        raise InvalidSource(gettext("Choose one or more files."))
    with transaction.atomic():  # so that no source is left behind if its files cannot be stored
        source = add_source(UPLOADS, form.changes(), person=person)
        problems = add_files(source, uploaded(request), person=person)
        if not source.files.exists():
            raise InvalidSource(" ".join(problems[:5]))
    for problem in problems[:20]:
        messages.warning(request, problem)
    return source


def _page(request: HttpRequest, site: SiteForm, files: FilesForm) -> HttpResponse:
    is_wrong = bool(site.errors or files.errors)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": gettext("Add source"),
        "site": site,
        "files": files,
        "collections": collections(),
        "endings": ",".join(KNOWN_ENDINGS),
        "most_megabytes": MAX_TEXT_BYTES // 1_000_000,
        "most_megabytes_of_a_document": MAX_FILE_BYTES // 1024 // 1024,
        "most_files": MOST_FILES,
    }
    return render(request, "console/sources/add.html", context, status=400 if is_wrong else 200)
