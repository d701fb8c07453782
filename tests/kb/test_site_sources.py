"""Web sites as sources: read, changed, lost, full of traps, and read again."""

import re
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from django.core.management import CommandError
from django.test import Client

from actions.models import AuditEntry
from kb.models import Article, Picture, Revision, Source, SourceItem
from kb.sources import runs, sync
from kb.sources.services import Wish, change_source
from kb.sources.web import client as site_client
from kb.sources.web import pictures
from kb.testing import HashEmbedder
from supportbot.accounts.models import Workspace
from tests.kb.local_site import LocalSite, Reply, local_site, themed
from tests.kb.made_pictures import painted
from tests.kb.source_commands import add, again, command, counts, live, reasons

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(settings: Any, workspace: Workspace) -> Iterator[LocalSite]:
    settings.PRIVATE_NETWORKS = (ip_network("127.0.0.0/8"),)
    with local_site() as found:
        yield found


@pytest.fixture
def help_site(site: LocalSite) -> LocalSite:
    """Four articles behind a home page that only lists them."""
    names = {"wool": "Washing wool", "felt": "Felting", "dye": "Dyeing yarn", "knit": "Knitting socks"}
    links = "".join(f'<a href="/help/{name}?utm_source=home">{title}</a> ' for name, title in names.items())
    site.pages["/help/"] = themed("Fern help", "<p>Choose a topic.</p>", links=links)
    for name, title in names.items():
        text = f"<p>All about {title.lower()} by hand, in water of {len(title)} degrees.</p>"
        site.pages[f"/help/{name}"] = themed(title, text, links='<a href="/help/">All topics</a>')
    return site


def test_a_site_is_read_without_its_frame(help_site: LocalSite, embedder: HashEmbedder) -> None:
    told = add(f"{help_site.url}/help/")
    assert (counts(told), reasons(told)) == ((4, 0, 0, 0, 0, 1), {"": "It only lists other pages."})
    assert live() == {"Washing wool", "Felting", "Dyeing yarn", "Knitting socks"}
    article = Article.objects.select_related("live_revision").get(live_revision__title="Washing wool")
    address = f"{help_site.url}/help/wool"
    assert (article.url, article.origin, article.locale) == (address, address, "en")
    body = article.live_revision.body
    assert "washing wool by hand, in water of 12 degrees" in body
    assert not [word for word in ("cookies", "Sign in", "rights reserved", "helpful", "Basket") if word in body]
    assert {agent.partition("/")[0] for agent in help_site.agents} == {"SupportBot"}
    assert not [path for path in help_site.asked if "utm_" in path]
    embedder.embedded.clear()
    assert counts(again()) == (0, 0, 4, 0, 0, 1)
    assert (embedder.embedded, Revision.objects.count()) == ([], 4)


def test_the_frame_is_learnt_behind_a_start_page_that_links_to_one_section(help_site: LocalSite) -> None:
    help_site.pages["/help/topics"] = str(help_site.pages["/help/"])
    help_site.pages["/help/"] = themed("Fern help", "", links='<a href="/help/topics">All our topics</a>')
    assert counts(add(f"{help_site.url}/help/")) == (4, 0, 0, 0, 0, 2)
    bodies = " ".join(Revision.objects.values_list("body", flat=True))
    assert "washing wool by hand" in bodies
    assert not [word for word in ("cookies", "Sign in", "rights reserved", "helpful", "Basket") if word in bodies]
    assert len(help_site.asked) == len(set(help_site.asked)), "no page is asked for twice"


def test_a_redesign_changes_no_article(help_site: LocalSite, embedder: HashEmbedder) -> None:
    add(f"{help_site.url}/help/")
    embedder.embedded.clear()
    for path, page in help_site.pages.items():
        help_site.pages[path] = str(page).replace("better.", "faster.").replace("<body>", '<body data-build="77">')
    assert counts(again()) == (0, 0, 4, 0, 0, 1)
    assert embedder.embedded == []


def test_content_read_by_a_dry_run_is_not_requested_again(help_site: LocalSite) -> None:
    command("source_add", f"{help_site.url}/help/", "--no-sync")
    Source.objects.update(delay_seconds=0)
    again("--dry-run")
    help_site.asked.clear()
    help_site.pages["/help/wool"] = themed("Washing wool", "<p>Changed since.</p>")
    assert again()["new"] == 4
    assert help_site.asked.count("/help/wool") == 1  # for the common parts of all pages
    assert "in water of" in Article.objects.get(live_revision__title="Washing wool").live_revision.body
    assert not SourceItem.objects.exclude(held=None).exists()
    assert again()["changed"] == 1


def test_a_missing_page_is_archived_and_comes_back(help_site: LocalSite) -> None:
    add(f"{help_site.url}/help/")
    felt = help_site.pages.pop("/help/felt")
    told = again()
    assert (told["gone"], told["state"], reasons(told)["felt"]) == (1, "done", "The page no longer exists (404).")
    assert "Felting" not in live()
    help_site.pages["/help/felt"] = felt
    assert again()["changed"] == 1
    assert "Felting" in live()


def test_a_site_that_is_down_or_forbids_everything_changes_nothing(help_site: LocalSite) -> None:
    add(f"{help_site.url}/help/")
    help_site.pages["/robots.txt"] = Reply(b"", 503)
    with pytest.raises(CommandError, match=r"robots\.txt returned 503"):
        again()
    del help_site.pages["/robots.txt"]
    for path in list(help_site.pages):
        if path != "/help/":
            help_site.pages[path] = Reply(b"oops", 500)
    assert again()["broken"] == 4
    assert len(live()) == 4


def test_unchanged_pages_are_requested_conditionally(help_site: LocalSite) -> None:
    for path, page in help_site.pages.items():
        body = str(page).encode()
        help_site.pages[path] = Reply(body, headers={"Content-Type": "text/html", "ETag": f'"{hash(path)}"'})
    help_site.pages["/robots.txt"] = Reply(b"User-agent: *\nDisallow: /help/knit\nCrawl-delay: 0.01\n")
    told = add(f"{help_site.url}/help/")
    assert (told["new"], reasons(told)["knit"]) == (3, "The site's robots.txt does not allow it.")
    assert "/help/knit" not in help_site.asked
    assert again()["unchanged"] == 3


def test_a_sitemap_is_a_complete_list(help_site: LocalSite) -> None:
    def sitemap(*names: str) -> bytes:
        entries = "".join(f"<url><loc>{help_site.url}/help/{name}</loc></url>" for name in names)
        return f'<?xml version="1.0"?><urlset xmlns="x">{entries}</urlset>'.encode()

    help_site.pages["/sitemap.xml"] = Reply(
        f"<sitemapindex><sitemap><loc>{help_site.url}/part.xml</loc></sitemap></sitemapindex>".encode(),
        headers={"Content-Type": "application/xml"},
    )
    help_site.pages["/part.xml"] = Reply(sitemap("wool", "felt", "dye", "knit"), headers={"Content-Type": "text/xml"})
    assert counts(add(f"{help_site.url}/sitemap.xml", "--exclude", "/help/dye")) == (3, 0, 0, 0, 0, 0)
    assert "/help/" not in help_site.asked
    help_site.pages["/part.xml"] = Reply(sitemap("wool", "dye", "knit"), headers={"Content-Type": "text/xml"})
    assert again()["state"] == "unconfirmed"  # one of three
    help_site.pages["/part.xml"] = Reply(b"", 404)
    with pytest.raises(CommandError, match="sitemap"):
        again()
    assert len(live()) == 3


def set_traps(help_site: LocalSite) -> None:
    pages, html = help_site.pages, {"Content-Type": "text/html"}
    traps = ["loop", "inside", "calendar?month=2026-01", "huge", "latin", "lie", "hidden", "print", "away", "moved"]
    links = "".join(f'<a href="/help/{trap}">{trap}</a> ' for trap in traps)
    sessions = "".join(f'<a href="/help/wool;jsessionid={n}?PHPSESSID={n}&sid=x{n}#top">again</a>' for n in range(5))
    pages["/help/"] = str(pages["/help/"]).replace("Choose a topic.", f"Choose.{links}{sessions}")
    pages["/help/loop"] = Reply(b"", 302, {"Location": "/help/loop2"})
    pages["/help/loop2"] = Reply(b"", 302, {"Location": "/help/loop"})
    pages["/help/inside"] = Reply(b"", 302, {"Location": "http://169.254.169.254/latest/meta-data"})
    pages["/help/huge"] = Reply(b"<p>" + b"x" * 21_000_000, headers=html)
    latin = "<title>Größe</title><h1>Größe</h1><p>Die Größe für Füße über 40.</p>"
    pages["/help/latin"] = Reply(latin.encode("cp1252"), headers=html)
    pages["/help/lie"] = Reply(
        latin.replace("Größe", "Höhe").encode(), headers={"Content-Type": "text/html; charset=iso-8859-1"}
    )
    pages["/help/hidden"] = themed("Hidden", "<p>Secret.</p>", head='<meta name="robots" content="NOINDEX">')
    copy = f'<link rel="canonical" href="{help_site.url}/help/wool">'
    pages["/help/print"] = themed("Washing wool, printed", "<p>All about washing wool.</p>", head=copy)
    pages["/help/away"] = Reply(b"", 301, {"Location": "https://elsewhere.example/x"})
    pages["/help/moved"] = Reply(b"", 301, {"Location": "/help/felt"})


def calendar(path: str) -> Reply | None:
    """Return a month's page, with links to the thirty months after it."""
    if not path.startswith("/help/calendar"):
        return None
    year, _, month = path.partition("=")[2].partition("-")
    nexts = [(int(year) + n // 12, n % 12 + 1) for n in range(int(month), int(month) + 30)]
    links = "".join(f'<a href="/help/calendar?month={y}-{m:02}">next</a>' for y, m in nexts)
    return Reply(
        themed(f"Events of {path}", f"<p>{path} has no events. {'Come again. ' * 40}</p>", links=links).encode(),
        headers={"Content-Type": "text/html"},
    )


def test_a_site_with_traps(help_site: LocalSite, settings: Any) -> None:
    """Loops, private addresses, endless calendars, huge pages, wrong charsets, session ids, noindex, copies, moves."""
    set_traps(help_site)
    help_site.other = calendar
    told = add(f"{help_site.url}/help/")
    why = reasons(told)
    assert told["state"] == "done"
    assert "redirects in a loop" in why["loop"]
    assert "neither on the public internet" in why["inside"]
    assert "more than" in why["huge"]
    assert why["hidden"] == "The page asks not to be indexed (noindex)."
    assert "copy of" in why["print"]
    assert "https://elsewhere.example" in why["away"]
    assert "redirects to" in why["moved"]
    titles = live()
    assert {"Größe", "Höhe", "Washing wool", "Felting"} <= titles
    assert not {"Hidden", "Washing wool, printed"} & titles
    assert Article.objects.filter(live_revision__title="Washing wool").count() == 1
    assert 1 < len([title for title in titles if title.startswith("Events")]) <= 61


def test_a_busy_site_gets_the_time_it_requests(help_site: LocalSite) -> None:
    page, asked = help_site.pages["/help/wool"], list[str]()

    def busy(path: str) -> Any:
        asked.append(path)
        return Reply(b"", 429, {"Retry-After": "1"}) if len(asked) == 2 else str(page)

    help_site.pages["/help/wool"] = busy
    add(f"{help_site.url}/help/")
    assert again()["unchanged"] == 4
    assert len(asked) == 3


def test_pages_are_limited_in_number_and_by_patterns(help_site: LocalSite) -> None:
    told = add(f"{help_site.url}/help/", "--most", "3")
    assert (told["new"], told["left_out"], told["limit"]) == (2, 1, 3)
    source = Source.objects.select_related("collection").get()
    change_source(source, Wish(most=100, include=["/help/w*"]))
    assert again("--archive-lost")["archived"] == 1
    assert live() == {"Washing wool"}


def test_only_an_operator_allows_private_networks(help_site: LocalSite, settings: Any) -> None:
    settings.PRIVATE_NETWORKS = ()
    address = f"{help_site.url}/help/"
    with pytest.raises(CommandError, match="must use https"):
        command("kb_import", address)
    assert not help_site.asked
    told = command("kb_import", address, "--allow-private")
    assert told["sites"][0]["new"] == 4
    entry = AuditEntry.objects.get(event="source.added")
    assert (entry.actor, entry.payload["private"], entry.payload["address"]) == ("command", True, address)
    assert command("kb_import", address, "--dry-run")["sites"][0]["unchanged"] == 4
    assert Source.objects.count() == 1


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
    """Two of the articles have pictures, and one of them is on both."""
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


def test_pictures_of_a_site_are_shown_where_they_stand(pictured: LocalSite, client: Client) -> None:
    told = add(f"{pictured.url}/help/")
    assert counts(told)[:2] == (4, 0)
    body = body_of("Washing wool")
    shown = SHOWN.findall(body)
    assert [said for said, _ in shown] == ["The red basin", "", "Late"]
    assert body.index("Fill the basin") < body.index("The red basin") < body.index("Then press")
    assert SHOWN.findall(body_of("Dyeing yarn")) == [("", shown[0][1])], "stored once"
    assert pictured.asked.count("/img/red.jpg") == 1
    not_wanted = {"/img/logo.png", "/private/a.jpg", "/img/drawing.svg"}  # of the frame, forbidden, a drawing
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
    assert not embedder.embedded, "its words are the same"


def test_decorations_are_asked_for_by_etag_and_not_decoded_again(
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


def test_a_decoration_that_gets_a_description_is_shown(pictured: LocalSite) -> None:
    add(f"{pictured.url}/help/")
    page = str(pictured.pages["/help/wool"])
    pictured.pages["/help/wool"] = page.replace("<img src='/img/dot.gif'>", "<img src='/img/dot.gif' alt='The dot'>")
    again()
    assert [said for said, _ in SHOWN.findall(body_of("Washing wool")) if said == "The dot"] == ["The dot"]


def test_a_cancelled_run_asks_for_no_more_pictures(pictured: LocalSite, monkeypatch: pytest.MonkeyPatch) -> None:
    command("source_add", f"{pictured.url}/help/", "--no-sync")
    source, get = Source.objects.get(), site_client.Client.get

    def cancelled(client: site_client.Client, url: str, *args: Any) -> Any:
        if url.endswith("/img/red.jpg"):
            runs.cancel(source)
        return get(client, url, *args)

    monkeypatch.setattr(site_client.Client, "get", cancelled)
    runs.begin(source)
    while due := sync.runs_to_serve():
        sync.serve(*due[0])
    assert pictured.asked.count("/img/red.jpg") == 1
    assert not [path for path in pictured.asked if path.startswith("/img/") and path != "/img/red.jpg"]
    assert not Article.objects.filter(live_revision__title="Washing wool").exists()


def test_a_picture_that_failed_for_now_is_fetched_by_the_next_run(pictured: LocalSite) -> None:
    red = pictured.pages["/img/red.jpg"]
    pictured.pages["/img/red.jpg"] = Reply(b"busy", 503)
    told = add(f"{pictured.url}/help/")
    assert "red.jpg. The site returned 503." in reasons(told)["wool"] and counts(told)[0] == 4
    assert "The red basin" in body_of("Washing wool")
    pictured.pages["/img/red.jpg"] = red
    assert counts(again())[1] == 2
    assert len(SHOWN.findall(body_of("Washing wool"))) == 3 and len(SHOWN.findall(body_of("Dyeing yarn"))) == 1


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


def test_a_host_whose_rules_cannot_be_read_is_asked_once_for_all_its_pictures(pictured: LocalSite) -> None:
    with local_site() as elsewhere:
        elsewhere.pages["/robots.txt"] = Reply(b"busy", 503)
        images = "".join(f"<img src='{elsewhere.url}/{place}.png' alt='Step {place}'>" for place in range(6))
        page = str(pictured.pages["/help/dye"])
        pictured.pages["/help/dye"] = page.replace("<img src='/img/red.jpg'>", images)
        add(f"{pictured.url}/help/")
        assert elsewhere.asked == ["/robots.txt"] and "Step 5" in body_of("Dyeing yarn")


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
    Source.objects.update(delay_seconds=0)
    assert again("--dry-run")["new"] == 4
    assert not [path for path in pictured.asked if path.startswith("/img/")] and not Picture.objects.exists()
    page = str(pictured.pages["/help/dye"])
    pictured.pages["/help/dye"] = page.replace("/img/red.jpg'", "http://10.0.0.8/secret.png' alt='Secret'")
    SourceItem.objects.update(held=None, held_facts={})
    told = again()
    assert "secret.png. It was not fetched" in reasons(told)["dye"] and "Secret" in body_of("Dyeing yarn")
    assert SourceItem.objects.get(key__endswith="/dye").content_hash, "it is never fetched, so nothing is missing"
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
