"""Pictures of websites that are read as sources."""

import re
from typing import Any

import pytest
from django.test import Client

from kb.models import Article, Picture, Source, SourceItem
from kb.sources import run_worker, runs
from kb.sources.web import client as site_client
from kb.sources.web import pictures
from kb.testing import HashEmbedder
from tests.kb.local_site import LocalSite, Reply, local_site, themed
from tests.kb.made_pictures import painted
from tests.kb.source_commands import add, again, command, counts, reasons

pytestmark = pytest.mark.django_db


PICTURES = {
    "/img/red.jpg": (painted("JPEG", width=640, height=400), "image/jpeg"),
    "/img/wide.webp": (painted("WEBP", width=640, height=300), "image/webp"),
    "/img/dot.gif": (painted("GIF", width=2, height=2), "image/gif"),
    "/img/late.png": (painted("PNG", width=200, height=300), "image/png"),
    "/img/torn.jpg": (painted("JPEG", width=640, height=400)[:400], "image/jpeg"),
    "/private/a.jpg": (painted("JPEG", width=300, height=300), "image/jpeg"),
    "/img/logo.png": (painted("PNG", width=300, height=120), "image/png"),
}
SHOWN = re.compile(r"!\[([^\]]*)\]\((/help/wrenfell/pictures/[0-9a-f]{40}\.(?:png|webp))\)")


@pytest.fixture
def pictured(help_site: LocalSite) -> LocalSite:
    """Two of the articles have pictures, one of which is in both."""
    for path, (content, kind) in PICTURES.items():
        help_site.pages[path] = Reply(content, headers={"Content-Type": kind, "ETag": f'"{len(content)}"'})
    help_site.pages["/robots.txt"] = Reply(b"User-agent: *\nDisallow: /private/\n")
    help_site.pages["/help/wool"] = themed(
        "Washing wool",
        "<p>Fill the basin by hand, in water of 12 degrees.</p><p><img src='../img/red.jpg' alt='The red basin'></p>"
        "<p>Then press.</p><img src='{url}/img/wide.webp' alt=''><img src='/img/dot.gif'>"
        "<img src='data:image/gif;base64,R0lGOD' data-src='/img/late.png' alt='Late'>"
        "<img src='/img/torn.jpg' alt='Torn'><img src='/img/gone.png' alt='Gone'><img src='/private/a.jpg' alt='Own'>"
        "<img src='/img/drawing.svg' alt='A drawing'><img src='javascript:alert(1)' alt='Odd'>",
        head="<meta property='og:image' content='/img/logo.png'>",
    )
    help_site.pages["/help/dye"] = themed(
        "Dyeing yarn", "<nav><img src='/img/logo.png' alt='Fern'></nav><p>Use the basin.</p><img src='/img/red.jpg'>"
    )
    return help_site


def body_of(title: str) -> str:
    article = Article.objects.select_related("live_revision").get(live_revision__title=title)
    assert article.live_revision is not None
    return article.live_revision.body


@pytest.mark.long
def test_pictures_of_a_site_are_shown_in_their_places(pictured: LocalSite, client: Client) -> None:
    told = add(f"{pictured.url}/help/")
    assert counts(told)[:2] == (4, 0)
    body = body_of("Washing wool")
    shown = SHOWN.findall(body)
    assert [said for said, _ in shown] == ["The red basin", "", "Late"]
    assert body.index("Fill the basin") < body.index("The red basin") < body.index("Then press")
    assert SHOWN.findall(body_of("Dyeing yarn")) == [("", shown[0][1])], "stored once"
    assert pictured.asked.count("/img/red.jpg") == 1
    # Outside the article, forbidden, an SVG drawing.
    not_wanted = {"/img/logo.png", "/private/a.jpg", "/img/drawing.svg"}
    assert not not_wanted & set(pictured.asked)
    assert all(words in body for words in ("Torn", "Gone", "Own", "A drawing", "Odd")) and pictured.url not in body
    why = reasons(told)["wool"]
    assert "torn.jpg. The picture is damaged or incomplete." in why
    assert "gone.png. The site returned 404." in why and "More pictures left out: 1." in why
    for _, address in shown:
        answer = client.get(address)
        assert answer["Content-Type"].startswith("image/") and answer["X-Content-Type-Options"] == "nosniff"
    assert Picture.objects.count() == 3
    Article.objects.update(audience="internal")
    assert client.get(shown[0][1]).status_code == 404


@pytest.mark.long
def test_pictures_are_fetched_again_only_if_they_have_changed(pictured: LocalSite, embedder: HashEmbedder) -> None:
    add(f"{pictured.url}/help/")
    before = body_of("Washing wool")
    pictured.asked.clear()
    embedder.embedded.clear()
    assert counts(again()) == (0, 0, 4, 0, 0, 1)
    assert not [path for path in pictured.asked if path.startswith("/img/")] and not embedder.embedded
    page = str(pictured.pages["/help/wool"])
    pictured.pages["/help/wool"] = page.replace("<body>", "<body data-build='7'>")
    given: list[int] = []
    red = pictured.pages["/img/red.jpg"]
    pictured.pages["/img/red.jpg"] = lambda path: given.append(1) or red  # type: ignore[func-returns-value]
    assert counts(again()) == (0, 0, 4, 0, 0, 1) and given == [1]
    assert body_of("Washing wool") == before and not embedder.embedded
    other = painted("JPEG", width=641, height=400)
    pictured.pages["/img/red.jpg"] = Reply(other, headers={"Content-Type": "image/jpeg", "ETag": '"new"'})
    pictured.pages["/help/wool"] = page.replace("<body>", "<body data-build='8'>")
    assert counts(again())[1] == 1
    assert body_of("Washing wool") != before and Picture.objects.filter(width=641).exists()
    assert not embedder.embedded, "the page has the same words"


@pytest.mark.long
def test_decorations_are_requested_by_etag_and_not_decoded_again(
    pictured: LocalSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(f"{pictured.url}/help/")
    page, dot = str(pictured.pages["/help/wool"]), pictured.pages["/img/dot.gif"]
    assert isinstance(dot, Reply) and not Picture.objects.filter(width__lt=100).exists()
    drawn: list[bytes] = []
    draw = pictures.drawn_from
    monkeypatch.setattr(pictures, "drawn_from", lambda data: drawn.append(data) or draw(data))  # type: ignore[func-returns-value]
    pictured.pages["/help/wool"] = page.replace("<body>", "<body data-build='7'>")
    again()
    assert "/img/dot.gif" in pictured.unchanged and dot.body not in drawn
    pictured.pages["/img/dot.gif"] = Reply(dot.body, headers={"Content-Type": "image/gif"})  # its site has no ETags
    pictured.pages["/help/wool"] = page.replace("<body>", "<body data-build='8'>")
    again()
    assert dot.body not in drawn
    large = painted("PNG", width=300, height=200)
    pictured.pages["/img/dot.gif"] = Reply(large, headers={"Content-Type": "image/png"})
    pictured.pages["/help/wool"] = page.replace("<body>", "<body data-build='9'>")
    again()
    assert drawn.count(large) == 1 and Picture.objects.filter(width=300).exists()


@pytest.mark.long
def test_a_decoration_that_gets_a_description_is_shown(pictured: LocalSite) -> None:
    add(f"{pictured.url}/help/")
    page = str(pictured.pages["/help/wool"])
    pictured.pages["/help/wool"] = page.replace("<img src='/img/dot.gif'>", "<img src='/img/dot.gif' alt='The dot'>")
    again()
    assert [said for said, _ in SHOWN.findall(body_of("Washing wool")) if said == "The dot"] == ["The dot"]


def test_a_cancelled_run_requests_no_more_pictures(pictured: LocalSite, monkeypatch: pytest.MonkeyPatch) -> None:
    command("source_add", f"{pictured.url}/help/", "--no-sync")
    source, get = Source.objects.get(), site_client.Client.get

    def cancelled(client: site_client.Client, url: str, *args: Any) -> Any:
        if url.endswith("/img/red.jpg"):
            runs.cancel(source)
        return get(client, url, *args)

    monkeypatch.setattr(site_client.Client, "get", cancelled)
    runs.begin(source)
    while due := run_worker.runs_to_serve():
        run_worker.serve(*due[0])
    assert pictured.asked.count("/img/red.jpg") == 1
    assert not [path for path in pictured.asked if path.startswith("/img/") and path != "/img/red.jpg"]
    assert not Article.objects.filter(live_revision__title="Washing wool").exists()


@pytest.mark.long
def test_a_picture_that_failed_for_now_is_fetched_by_the_next_run(pictured: LocalSite) -> None:
    red = pictured.pages["/img/red.jpg"]
    pictured.pages["/img/red.jpg"] = Reply(b"busy", 503)
    told = add(f"{pictured.url}/help/")
    assert "red.jpg. The site returned 503." in reasons(told)["wool"] and counts(told)[0] == 4
    assert "The red basin" in body_of("Washing wool")
    pictured.pages["/img/red.jpg"] = red
    assert counts(again())[1] == 2
    assert len(SHOWN.findall(body_of("Washing wool"))) == 3 and len(SHOWN.findall(body_of("Dyeing yarn"))) == 1


@pytest.mark.long
def test_a_stored_picture_stays_while_its_site_is_busy(pictured: LocalSite) -> None:
    add(f"{pictured.url}/help/")
    before, red = body_of("Washing wool"), pictured.pages["/img/red.jpg"]
    pictured.pages["/img/red.jpg"] = Reply(b"busy", 503)
    pictured.pages["/help/wool"] = str(pictured.pages["/help/wool"]).replace("<body>", "<body data-build='7'>")
    assert again()["changed"] == 0 and body_of("Washing wool") == before
    pictured.pages["/img/red.jpg"] = red
    pictured.asked.clear()
    again()
    assert pictured.asked.count("/img/red.jpg") == 1, "the next run tries again"
    pictured.asked.clear()
    again()
    assert "/img/red.jpg" not in pictured.asked


@pytest.mark.long
def test_unreadable_rules_of_a_host_are_requested_once_for_all_its_pictures(pictured: LocalSite) -> None:
    with local_site() as elsewhere:
        elsewhere.pages["/robots.txt"] = Reply(b"busy", 503)
        images = "".join(f"<img src='{elsewhere.url}/{place}.png' alt='Step {place}'>" for place in range(6))
        page = str(pictured.pages["/help/dye"])
        pictured.pages["/help/dye"] = page.replace("<img src='/img/red.jpg'>", images)
        add(f"{pictured.url}/help/")
        assert elsewhere.asked == ["/robots.txt"] and "Step 5" in body_of("Dyeing yarn")


@pytest.mark.long
def test_decorations_do_not_count_as_pictures_of_a_page(pictured: LocalSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kb.importing.pictures.MAX_PICTURES", 2)
    for place in range(4):
        icon = painted("PNG", width=20 + place, height=20)
        pictured.pages[f"/img/icon{place}.png"] = Reply(icon, headers={"Content-Type": "image/png"})
    icons = "".join(f"<img src='/img/icon{place}.png'>" for place in range(4))
    page = str(pictured.pages["/help/dye"])
    images = f"{icons}<img src='/img/red.jpg'><img src='/img/wide.webp'><img src='/img/late.png' alt='Third'>"
    pictured.pages["/help/dye"] = page.replace("<img src='/img/red.jpg'>", images)
    told = add(f"{pictured.url}/help/")
    assert len(SHOWN.findall(body_of("Dyeing yarn"))) == 2
    assert "late.png. The limit for an article is 2 pictures" in reasons(told)["dye"]


def test_a_dry_run_fetches_no_pictures_and_pictures_of_private_hosts_are_never_fetched(
    pictured: LocalSite, settings: Any
) -> None:
    command("source_add", f"{pictured.url}/help/", "--no-sync")
    assert again("--dry-run")["new"] == 4
    assert not [path for path in pictured.asked if path.startswith("/img/")] and not Picture.objects.exists()
    page = str(pictured.pages["/help/dye"])
    pictured.pages["/help/dye"] = page.replace("/img/red.jpg'", "http://10.0.0.8/secret.png' alt='Secret'")
    SourceItem.objects.update(held=None, held_facts={})
    told = again()
    assert "secret.png. The address was not fetched" in reasons(told)["dye"] and "Secret" in body_of("Dyeing yarn")
    assert SourceItem.objects.get(key__endswith="/dye").content_hash, (
        "the picture is never fetched, so nothing is missing"
    )
    assert "![" not in body_of("Dyeing yarn")
    assert again("--dry-run")["changed"] == 0


def test_private_networks_are_allowed_for_the_site_not_for_other_hosts_of_its_pictures(
    pictured: LocalSite, settings: Any
) -> None:
    settings.PRIVATE_NETWORKS = ()
    with local_site() as elsewhere:
        page = str(pictured.pages["/help/dye"])
        pictured.pages["/help/dye"] = page.replace("/img/red.jpg'", f"{elsewhere.url}/inside.png' alt='Inside'")
        told = command("kb_import", f"{pictured.url}/help/", "--allow-private")
        assert told["sites"][0]["new"] == 4 and elsewhere.asked == []
    assert len(SHOWN.findall(body_of("Washing wool"))) == 3 and "Inside" in body_of("Dyeing yarn")
