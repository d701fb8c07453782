"""What the editor's script asks the server for while somebody writes: articles to link to, pasted pages as Markdown."""

from typing import Final
from uuid import UUID

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_POST, require_safe

from kb.article_urls import article_address
from kb.errors import ArticleMissing
from kb.importing.loaders.html import markdown_of_html
from kb.importing.pictures import PicturesTaken
from kb.models import Article, State
from kb.pictures import add_picture, address_of, store
from kb.selectors import article_with_id
from kb.translations import sources_for
from supportbot.accounts.pictures import MAX_BYTES, Drawn, too_large
from supportbot.console.request_context import needs
from supportbot.errors import InvalidInput

MAX_OFFERED: Final = 8


@require_safe
def pick(request: HttpRequest) -> JsonResponse:
    """Return live articles with an address whose titles have all the words."""
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
    """Return articles that the one at `article` may be a translation of, by the words of their titles."""
    needs(request, "kb:read")
    article = article_with_id(_id(request.GET["article"])) if request.GET.get("article") else None
    rows = sources_for(article, request.GET.get("q", "").replace("\x00", "").strip())[:MAX_OFFERED]
    offered = [{"id": one.external_id, "title": one.title, "locale": one.locale} for one in rows]
    return JsonResponse({"articles": offered})


@require_POST
def upload(request: HttpRequest) -> JsonResponse:
    """Store a picture and return its address, or why it is refused."""
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
    """Return pasted HTML as Markdown, read as an imported page is, and store the pictures that it holds itself.

    `left_out` counts the others: a browser gives us neither the files of Word nor what another site shows. The Markdown
    is empty if there is no text.
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
    """Return the pasted HTML, which comes as a file: with pictures in it, it is larger than a field may be."""
    file = request.FILES.get("html")
    if file is None:
        return request.POST.get("html", "")
    content: bytes = file.read(MAX_BYTES)
    return content.decode("utf-8", errors="replace")


def _is_stored(picture: Drawn) -> bool:
    try:
        store(picture)
    except InvalidInput:  # no room
        return False
    return True


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ArticleMissing from error
