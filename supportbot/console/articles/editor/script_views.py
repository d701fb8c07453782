"""Views that the editor's script calls: the preview, a published article's progress, articles to link to, uploaded
pictures, and pasted pages as Markdown.
"""

from typing import Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from kb.article_urls import article_address
from kb.errors import ArticleMissing
from kb.importing.loaders.html import markdown_of_html
from kb.importing.pictures import PicturesTaken
from kb.models import Article, State
from kb.pictures import add_picture, address_of, store
from kb.selectors import article_with_id
from kb.translations import sources_for
from kb.validation import MAX_BODY_CHARACTERS, MAX_TITLE_CHARACTERS
from supportbot.accounts.stored_pictures import MAX_BYTES, StoredPicture, too_large
from supportbot.console.articles.editor.page_context import compared, index_state, rendered
from supportbot.console.request_context import needs
from supportbot.errors import InvalidInput

MAX_OFFERED: Final = 8


@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """Render the current text as the help pages would; nothing is stored."""
    needs(request, "kb:read")
    title, body = request.POST.get("title", ""), request.POST.get("body", "")
    if len(body) > MAX_BODY_CHARACTERS or len(title) > MAX_TITLE_CHARACTERS * 10:
        raise InvalidInput(gettext("This text is too long for an article."))
    return render(request, "console/articles/preview.html", rendered(title, body))


@require_safe
def searchable(request: HttpRequest, article_id: UUID) -> JsonResponse:
    """Return how far the live revision has been indexed."""
    needs(request, "kb:read")
    return JsonResponse(index_state(article_with_id(article_id)))


@require_safe
def comparison(request: HttpRequest, article_id: UUID) -> HttpResponse:
    """Return a sentence about how the newest publication has changed the answers to customers' questions, as far as
    they have been compared.
    """
    needs(request, "kb:read")
    return render(request, "console/articles/compared.html", compared(article_with_id(article_id)))


@require_safe
def pick(request: HttpRequest) -> JsonResponse:
    """Return live articles that have an address and whose titles contain all the words."""
    needs(request, "kb:read")
    rows = Article.objects.filter(state=State.LIVE).select_related("workspace", "live_revision")
    for word in request.GET.get("q", "").replace("\x00", "").split()[:8]:
        rows = rows.filter(live_revision__title__icontains=word)
    offered = [
        {"title": article.live_revision.title, "address": address}
        for article in rows.order_by("live_revision__title", "pk")[: 5 * MAX_OFFERED]
        if article.live_revision is not None and (address := article_address(article))
    ]
    return JsonResponse({"articles": offered[:MAX_OFFERED]})


@require_safe
def sources(request: HttpRequest) -> JsonResponse:
    """Return the articles that `article` could be a translation of, found by words in their titles."""
    needs(request, "kb:read")
    article = article_with_id(_id(request.GET["article"])) if request.GET.get("article") else None
    rows = sources_for(article, request.GET.get("q", "").replace("\x00", "").strip())[:MAX_OFFERED]
    offered = [{"id": one.external_id, "title": one.title, "locale": one.locale} for one in rows]
    return JsonResponse({"articles": offered})


@require_POST
def upload(request: HttpRequest) -> JsonResponse:
    """Store a picture and return its address, or the reason why it was refused."""
    needs(request, "kb:write")
    file = request.FILES.get("picture")
    try:
        if file is None or (file.size or 0) > MAX_BYTES:
            raise InvalidInput(fields={"picture": [too_large()]})
        return JsonResponse({"address": address_of(add_picture(file.read()))})
    except InvalidInput as refusal:
        return JsonResponse({"message": " ".join(refusal.fields["picture"])}, status=refusal.status)


@require_POST
def paste(request: HttpRequest) -> JsonResponse:
    """Return pasted HTML as Markdown, converted like an imported page, and store the pictures embedded in it.

    `left_out` counts pictures that are not embedded, because browsers do not paste the files that Word refers to, or
    pictures from other sites. The Markdown is empty if there is no text.
    """
    needs(request, "kb:write")
    taken = PicturesTaken(lambda _: None, name_of=lambda reference: reference)
    _title, markdown = markdown_of_html(_pasted(request), taken)
    left_out = len(taken.left_out)
    for address, picture in taken.pictures.items():
        if address in markdown and not _is_stored(picture):
            markdown, left_out = markdown.replace(address, ""), left_out + 1
    return JsonResponse({"markdown": markdown.strip(), "left_out": left_out})


def _pasted(request: HttpRequest) -> str:
    """Return the pasted HTML.

    It is sent as a file, because with pictures it can exceed the size limit on form fields.
    """
    file = request.FILES.get("html")
    if file is None:
        return request.POST.get("html", "")
    content: bytes = file.read(MAX_BYTES)
    return content.decode("utf-8", errors="replace")


def _is_stored(picture: StoredPicture) -> bool:
    try:
        store(picture)
    except InvalidInput:  # the storage limit is reached
        return False
    return True


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ArticleMissing from error
