"""Websites as sources: read, changed, lost, full of traps, and read again."""

import gzip
from functools import partial
from typing import Any
from urllib.parse import urljoin

import pytest
from django.core.management import CommandError

from actions.models import AuditEntry
from kb.models import Article, Revision, Source, SourceItem
from kb.sources.services import SourceChanges, change_source
from kb.sources.web.urls import one_spelling
from kb.testing import HashEmbedder
from tests.kb.local_site import LocalSite, Reply, themed
from tests.kb.source_commands import add, again, command, counts, live, reasons

pytestmark = pytest.mark.django_db


@pytest.mark.long
def test_a_site_is_read_without_the_parts_around_its_articles(help_site: LocalSite, embedder: HashEmbedder) -> None:
    told = add(f"{help_site.url}/help/")
    assert (counts(told), reasons(told)) == ((4, 0, 0, 0, 0, 1), {"": "The page only lists other pages."})
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


@pytest.mark.long
def test_common_parts_are_recognised_behind_a_start_page_that_links_to_one_section(help_site: LocalSite) -> None:
    help_site.pages["/help/topics"] = str(help_site.pages["/help/"])
    help_site.pages["/help/"] = themed("Fern help", "", links='<a href="/help/topics">All our topics</a>')
    assert counts(add(f"{help_site.url}/help/")) == (4, 0, 0, 0, 0, 2)
    bodies = " ".join(Revision.objects.values_list("body", flat=True))
    assert "washing wool by hand" in bodies
    assert not [word for word in ("cookies", "Sign in", "rights reserved", "helpful", "Basket") if word in bodies]
    assert len(help_site.asked) == len(set(help_site.asked)), "no page is asked for twice"


@pytest.mark.long
def test_a_redesign_changes_no_article(help_site: LocalSite, embedder: HashEmbedder) -> None:
    add(f"{help_site.url}/help/")
    embedder.embedded.clear()
    for path, page in help_site.pages.items():
        help_site.pages[path] = str(page).replace("better.", "faster.").replace("<body>", '<body data-build="77">')
    assert counts(again()) == (0, 0, 4, 0, 0, 1)
    assert embedder.embedded == []


@pytest.mark.long
def test_content_read_by_a_dry_run_is_not_requested_again(help_site: LocalSite) -> None:
    command("source_add", f"{help_site.url}/help/", "--no-sync")
    again("--dry-run")
    help_site.asked.clear()
    help_site.pages["/help/wool"] = themed("Washing wool", "<p>Changed since.</p>")
    assert again()["new"] == 4
    assert help_site.asked.count("/help/wool") == 1  # to find the parts that all pages share
    assert "in water of" in Article.objects.get(live_revision__title="Washing wool").live_revision.body
    assert not SourceItem.objects.exclude(held=None).exists()
    assert again()["changed"] == 1


@pytest.mark.long
def test_a_missing_page_is_archived_and_restored_when_it_returns(help_site: LocalSite) -> None:
    add(f"{help_site.url}/help/")
    felt = help_site.pages.pop("/help/felt")
    told = again()
    assert (told["gone"], told["state"], reasons(told)["felt"]) == (1, "done", "The page no longer exists (404).")
    assert "Felting" not in live()
    help_site.pages["/help/felt"] = felt
    assert again()["changed"] == 1
    assert "Felting" in live()


@pytest.mark.long
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


@pytest.mark.long
def test_unchanged_pages_are_requested_conditionally(help_site: LocalSite) -> None:
    for path, page in help_site.pages.items():
        body = str(page).encode()
        help_site.pages[path] = Reply(body, headers={"Content-Type": "text/html", "ETag": f'"{hash(path)}"'})
    help_site.pages["/robots.txt"] = Reply(b"User-agent: *\nDisallow: /help/knit\nCrawl-delay: 0.01\n")
    told = add(f"{help_site.url}/help/")
    assert (told["new"], reasons(told)["knit"]) == (3, "The site's robots.txt does not allow this page to be read.")
    assert "/help/knit" not in help_site.asked
    assert again()["unchanged"] == 3


@pytest.mark.long
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
    assert again()["state"] == "unconfirmed"  # one of three articles would be lost
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


@pytest.mark.long
def test_a_site_with_traps_is_read(help_site: LocalSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops, private addresses, endless calendars, huge pages, wrong charsets, session ids, noindex, copies, moves."""
    monkeypatch.setattr("kb.sources.web.urls.MOST_DATED", 5)
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
    assert 1 < len([title for title in titles if title.startswith("Events")]) <= 6


@pytest.mark.long
def test_a_busy_site_gets_the_time_it_requests(help_site: LocalSite) -> None:
    page, asked = help_site.pages["/help/wool"], list[str]()

    def busy(path: str) -> Any:
        asked.append(path)
        return Reply(b"", 429, {"Retry-After": "1"}) if len(asked) == 2 else str(page)

    help_site.pages["/help/wool"] = busy
    add(f"{help_site.url}/help/")
    assert again()["unchanged"] == 4
    assert len(asked) == 3


@pytest.mark.long
def test_a_run_waits_for_a_robots_txt_that_the_site_is_too_busy_to_send(help_site: LocalSite) -> None:
    asked = list[str]()

    def busy(path: str) -> Any:
        asked.append(path)
        return (
            Reply(b"", 429, {"Retry-After": "1"}) if len(asked) == 1 else Reply(b"User-agent: *\nDisallow: /help/dye")
        )

    help_site.pages["/robots.txt"] = busy
    assert add(f"{help_site.url}/help/")["new"] == 3
    assert "/help/dye" not in help_site.asked


@pytest.mark.long
def test_the_frame_is_learnt_although_the_site_asks_for_pauses(help_site: LocalSite) -> None:
    for path in ("/help/wool", "/help/felt"):
        help_site.pages[path] = once_busy(str(help_site.pages[path]))
    assert add(f"{help_site.url}/help/")["new"] == 4
    bodies = " ".join(Revision.objects.values_list("body", flat=True))
    assert "washing wool by hand" in bodies and "cookies" not in bodies


def once_busy(page: str) -> Any:
    asked = list[str]()

    def answer(path: str) -> str | Reply:
        asked.append(path)
        return Reply(b"", 429, {"Retry-After": "1"}) if len(asked) == 1 else page

    return answer


@pytest.mark.long
def test_a_damaged_character_leaves_the_others_readable(help_site: LocalSite) -> None:
    text = themed("Größe", "<p>Die Größe für Füße über 40.</p>").encode().replace(b"40.", b"40\xff.")
    help_site.pages["/help/wool"] = Reply(text, headers={"Content-Type": "text/html; charset=iso-8859-1"})
    add(f"{help_site.url}/help/")
    body = Article.objects.get(live_revision__title="Größe").live_revision.body
    assert "Die Größe für Füße über 40" in body


@pytest.mark.long
def test_compressed_pages_of_a_storage_service_are_read(help_site: LocalSite) -> None:
    for path in ("/help/", "/help/wool"):
        packed = gzip.compress(str(help_site.pages[path]).encode())
        headers = {"Content-Type": "text/html", "Content-Encoding": "gzip"}
        help_site.pages[path] = Reply(packed, headers=headers)
    assert add(f"{help_site.url}/help/")["new"] == 4
    assert "Washing wool" in live()


@pytest.mark.long
def test_session_ids_do_not_lead_to_copies(help_site: LocalSite) -> None:
    token = "8f3e2c1d9b7a6f5e4d3c2b1a0f9e8d7c"
    names = ("osCsid", "zenid", "XTCsid", "s", "PHPSESSID")
    links = "".join(f'<a href="/help/wool?{name}={token}">again</a>' for name in names)
    links += "".join(f'<a href="/help/list?sid={number}">{number}</a>' for number in (1, 2))
    home = str(help_site.pages["/help/"]).replace("Choose a topic.", f"Choose. {links}")
    help_site.pages["/help/"] = home.replace("/help/felt", "/help/(S(lit3py55t21z5v55))/felt")
    help_site.pages["/help/felt"] = themed("Felting", "<p>All about felting.</p>")
    for number in (1, 2):
        help_site.pages[f"/help/list?sid={number}"] = themed(f"Section {number}", f"<p>Words of section {number}.</p>")
    add(f"{help_site.url}/help/")
    assert {"Section 1", "Section 2", "Washing wool", "Felting"} <= live()
    assert not [path for path in help_site.asked if token in path or "(S(" in path]
    assert help_site.asked.count("/help/wool") == 1


@pytest.mark.long
def test_pages_chosen_by_a_parameter_that_ends_like_a_session_id_are_read(help_site: LocalSite) -> None:
    links = "".join(f'<a href="/help/course?classid={name}">{name}</a>' for name in ("CS101", "CS102"))
    help_site.pages["/help/"] = str(help_site.pages["/help/"]).replace("Choose a topic.", f"Choose. {links}")
    for name in ("CS101", "CS102"):
        help_site.pages[f"/help/course?classid={name}"] = themed(f"Class {name}", f"<p>Words of class {name}.</p>")
    add(f"{help_site.url}/help/")
    assert {"Class CS101", "Class CS102"} <= live()


@pytest.mark.long
@pytest.mark.parametrize("start", ["/help/", "/sitemap.xml"])
@pytest.mark.parametrize(
    ("stored", "linked"),
    [
        ("/help/wool?osCsid=8f3e2c1d9b7a6f5e4d3c2b1a0f9e8d7c", "/help/wool?osCsid=8f3e2c1d9b7a6f5e4d3c2b1a0f9e8d7c"),
        ("/help/wool?osCsid=8f3e2c1d9b7a6f5e4d3c2b1a0f9e8d7c", "/help/wool"),
        ("/help/wool", "/help/wool?sid=12"),
        ("/help/wool", "/help/wool?session_id=keynote"),
    ],
)
def test_an_article_is_kept_if_an_earlier_version_spelled_its_address_differently(
    help_site: LocalSite, monkeypatch: pytest.MonkeyPatch, start: str, stored: str, linked: str
) -> None:
    pages, wool = help_site.pages, str(help_site.pages["/help/wool"])
    for name in ("/help/wool", stored, linked):
        pages[name] = wool.replace("</title>", f'</title><link rel="canonical" href="{linked}">')
    pages["/help/"] = str(pages["/help/"]).replace("/help/wool?utm_source=home", linked)
    listed = "".join(
        f"<url><loc>{help_site.url}{path}</loc></url>" for path in ("/help/felt", linked, "/help/dye", "/help/knit")
    )
    sitemap = f'<urlset xmlns="x">{listed}</urlset>'.encode()
    pages["/sitemap.xml"] = Reply(sitemap, headers={"Content-Type": "application/xml"})
    with monkeypatch.context() as patched:
        for module in ("site", "page"):
            patched.setattr(f"kb.sources.web.{module}.one_spelling", partial(former_spelling, linked, stored))
        add(f"{help_site.url}{start}")
    article = Article.objects.get(live_revision__title="Washing wool")
    assert article.origin == f"{help_site.url}{stored}"
    SourceItem.objects.update(content_hash="8:of the version before")
    for _ in range(2):
        told = again()
        assert (told["state"], told["gone"]) == ("done", 0)
        assert Article.objects.filter(state="live", live_revision__title="Washing wool").get() == article


def former_spelling(linked: str, stored: str, url: str, base: str = "") -> str:
    """Spell an address as an earlier version did: for one page differently than today."""
    address = urljoin(base, url)
    return address.replace(linked, stored) if address.endswith(linked) else one_spelling(url, base)


def test_a_sitemap_of_another_site_is_refused_with_an_example(help_site: LocalSite) -> None:
    entry = "<url><loc>https://staging.example/help/wool</loc></url>"
    headers = {"Content-Type": "application/xml"}
    help_site.pages["/sitemap.xml"] = Reply(f'<urlset xmlns="x">{entry}</urlset>'.encode(), headers=headers)
    told = add(f"{help_site.url}/sitemap.xml")
    assert (told["state"], told["reason"].rpartition(" It lists")[2]) == (
        "failed",
        ", for example, https://staging.example/help/wool.",
    )
    help_site.pages["/sitemap.xml"] = Reply(b'<urlset xmlns="x"></urlset>', headers=headers)
    with pytest.raises(CommandError, match="lists no pages"):
        again()


@pytest.mark.long
def test_pages_are_limited_in_number_and_by_patterns(help_site: LocalSite) -> None:
    told = add(f"{help_site.url}/help/", "--most", "3")
    assert (told["new"], told["left_out"], told["limit"]) == (2, 1, 3)
    source = Source.objects.select_related("collection").get()
    change_source(source, SourceChanges(most=100, include=["/help/w*"]))
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
