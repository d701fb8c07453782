"""Sources in the console: added with an address or files, previewed, published, lost, retried and deleted."""

import re
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from selectolax.lexbor import LexborHTMLParser

from kb.collections import get_or_create_collection, set_writers
from kb.models import Article, Source, SourceItem, SourceRun, State
from kb.sources import run_worker, runs
from kb.sources.services import SourceChanges, add_source, change_source
from kb.sources.uploads import add_files
from kb.sources.web.site import Site
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.evals.models import ArticleCheck
from tests.console.conftest import Enter, person
from tests.kb.local_site import LocalSite, local_site, themed
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
ADD = "/admin/kb/source/add/"


@pytest.fixture
def site(settings: Any, workspace: Workspace) -> Iterator[LocalSite]:
    settings.PRIVATE_NETWORKS = (ip_network("127.0.0.0/8"),)
    with local_site() as found:
        names = ("wool", "felt", "silk", "yarn")
        links = "".join(f'<a href="/{name}">{name}</a> ' for name in names)
        found.pages["/"] = themed("Help", "", links=links)
        for name in names:
            found.pages[f"/{name}"] = themed(f"About {name}", f"<p>Wash {name} by hand in cold water.</p>")
        yield found


def add_site(client: Client, url: str, **more: str) -> Any:
    sent = {"kind": "site", "address": url, "how": "publish", "schedule": "daily", **more}
    return client.post(ADD, sent, follow=True)


def do(client: Client, what: str, **more: Any) -> str:
    address = reverse("admin:kb_source_act", args=[Source.objects.get().pk])
    return str(client.post(address, {"do": what, **more}, follow=True).content.decode())


def work() -> None:
    for workspace_id, run_id in run_worker.runs_to_serve():
        run_worker.serve(workspace_id, run_id)


def test_a_site_is_previewed_and_then_published(site: LocalSite, enter: Enter) -> None:
    client = enter("editor")
    page = add_site(client, site.url)
    html = page.content.decode()
    assert "data-under-way" in html and "Starts in a moment" in html
    work()
    progress = client.get(reverse("admin:kb_source_progress", args=[Source.objects.get().pk])).content.decode()
    assert "Checked, not published" in progress and "About wool" in progress and "Publish this" in progress
    assert not Article.objects.exists()
    do(client, "sync")
    work()
    article = Article.objects.get(live_revision__title="About wool")
    assert (article.state, article.source_item.state) == (State.LIVE, "ready")
    editor = client.get(reverse("admin:kb_article_change", args=[article.pk])).content.decode()
    assert f'href="{site.url}/wool"' in editor and "Kept up to date by" in editor
    listed = client.get("/admin/kb/source/").content.decode()
    assert "Up to date" in listed and "Every day" in listed


@pytest.mark.long
def test_a_preview_can_be_ended_by_publishing(site: LocalSite, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    client = enter("editor")
    add_site(client, site.url)
    progress = reverse("admin:kb_source_progress", args=[Source.objects.get().pk])
    assert "without waiting for the preview" not in client.get(progress).content.decode()  # nothing has been found yet
    read_one = run_worker.TimeSlice._one

    def interrupted(time_slice: run_worker.TimeSlice, item: SourceItem, folder: Path) -> Any:
        if item.key.endswith("/silk") and time_slice.run.mode == "check":
            assert "Publish without waiting for the preview" in client.get(progress).content.decode()
            do(client, "end_preview")
        return read_one(time_slice, item, folder)

    monkeypatch.setattr(run_worker.TimeSlice, "_one", interrupted)
    work()
    assert not Article.objects.exists()
    work()
    titles = Article.objects.values_list("live_revision__title", flat=True)
    assert set(titles) == {"About wool", "About felt", "About silk", "About yarn"}
    assert SourceRun.objects.order_by("pk").values_list("mode", "state").last() == ("sync", "done")


def test_a_run_that_already_publishes_is_not_started_again(site: LocalSite, enter: Enter) -> None:
    client = enter("editor")
    add_site(client, site.url)
    SourceRun.objects.update(mode="sync")
    assert "already being read" in do(client, "end_preview")
    assert SourceRun.objects.get().state == "queued"


@pytest.mark.long
def test_a_sudden_loss_waits_for_an_editor_to_confirm(site: LocalSite, enter: Enter) -> None:
    client = enter("editor")
    add_site(client, site.url)
    SourceRun.objects.update(mode="sync")
    work()
    site.pages = {path: page for path, page in site.pages.items() if path not in ("/wool", "/felt")}
    do(client, "sync")
    work()
    html = client.get(reverse("admin:kb_source_change", args=[Source.objects.get().pk])).content.decode()
    assert "2 pages or files are gone" in " ".join(html.split())
    assert Article.objects.filter(state=State.LIVE).count() == 4
    assert "Archived: 2 articles." in do(client, "confirm")
    assert Article.objects.filter(state=State.LIVE).count() == 2
    assert "nothing left to confirm" in do(client, "confirm")
    assert "Deleted. 2 articles were kept." in do(client, "delete", articles="keep")
    assert not Source.objects.exists()


@pytest.mark.long
def test_files_are_added_and_a_broken_one_is_retried(enter: Enter) -> None:
    client = enter("editor")
    files = [SimpleUploadedFile("a.md", b"# A\n\nWords.\n"), SimpleUploadedFile("b.pdf", b"no PDF")]
    client.post(ADD, {"kind": "uploads", "how": "draft", "collection": "Care", "files": files}, follow=True)
    work()
    html = client.get(reverse("admin:kb_source_change", args=[Source.objects.get().pk])).content.decode()
    assert "The file is not PDF" in html and "Retry" in html and not Article.objects.exists()
    newer = SimpleUploadedFile("b.pdf", b"# B\n\nWords.\n")
    do(client, "retry", item=SourceItem.objects.get(key="b.pdf").pk)
    work()
    do(client, "add_files", files=[newer, SimpleUploadedFile("c.md", b"# C\n\nWords.\n")])
    do(client, "remove_file", path="b.pdf")
    do(client, "sync")
    work()
    assert set(Article.objects.values_list("external_id", "state", "collection__name")) == {
        ("a.md", "draft", "Care"),
        ("c.md", "draft", "Care"),
    }


def test_an_error_is_shown_next_to_its_field(enter: Enter, settings: Any) -> None:
    settings.PRIVATE_NETWORKS = ()
    client = enter("editor")
    for address, told in (
        ("http://10.0.0.1/", "must use https"),
        ("https://192.168.1.1/help", "neither on the public internet"),
        ("javascript:alert(1)", "Enter a web address"),
        ("http://[", "Enter a web address"),
        ("[1,2", "Enter a web address"),
        ("", "required"),
    ):
        page = add_site(client, address)
        assert (page.status_code, told in page.content.decode()) == (400, True), address
    page = client.post(ADD, {"kind": "uploads", "how": "publish"})
    assert "Choose one or more files." in page.content.decode()
    assert not Source.objects.exists()


def test_a_preview_that_could_read_nothing_offers_nothing_to_publish(workspace: Workspace, enter: Enter) -> None:
    client = enter("editor")
    files = [SimpleUploadedFile(name, b"# Care\n\n\xff\xfe") for name in ("wool.md", "felt.md")]
    client.post(ADD, {"kind": "uploads", "how": "publish", "collection": "Care", "files": files}, follow=True)
    work()
    address = reverse("admin:kb_source_change", args=[Source.objects.get().pk])
    page = LexborHTMLParser(client.get(address).content.decode())
    assert "so there is nothing to publish" in visible_text(page.css_first("[aria-labelledby=h-run]"))
    assert page.css_first("#do-sync").text(strip=True) == "Sync now"
    add_files(Source.objects.get(), [("silk.md", b"# Silk\n\nWash silk by hand in cold water.")])
    do(client, "check")
    work()
    assert "Publish this" in client.get(address).content.decode()


@pytest.mark.long
def test_a_mistyped_address_is_corrected_until_the_source_has_articles(site: LocalSite, enter: Enter) -> None:
    client = enter("editor")
    add_site(client, site.url.removeprefix("http://"))
    source = Source.objects.get()
    assert source.address == f"{site.url}/", "a private address has http"
    Source.objects.update(
        address="http://127.0.0.1:1/help", name="127.0.0.1:1/help", memory={"home": "http://127.0.0.1:1/"}
    )
    work()
    page = reverse("admin:kb_source_change", args=[source.pk])
    assert "Could not be read" in client.get(page).content.decode()
    sent = {"name": "127.0.0.1:1/help", "schedule": "daily", "how": "publish", "collection": "General"}
    sent |= {"delay_seconds": "0", "depth": "10", "most": "100", "sections": "", "include": "", "exclude": ""}
    assert client.post(page, sent | {"address": "javascript:alert(1)"}).status_code == 400
    assert client.post(page, sent | {"address": site.url}).status_code == 302
    source.refresh_from_db()
    assert (source.address, source.name) == (f"{site.url}/", site.url.removeprefix("http://"))
    do(client, "sync")
    work()
    assert Article.objects.count() == 4
    assert 'name="address"' not in client.get(page).content.decode()
    late = client.post(page, sent | {"name": source.name, "address": "https://else.example"})
    assert (late.status_code, "already has articles" in late.content.decode()) == (400, True)
    source.refresh_from_db()
    assert source.address == f"{site.url}/"


def test_a_private_network_that_an_operator_allowed_is_not_allowed_at_another_host(
    workspace: Workspace, enter: Enter
) -> None:
    source = add_source("site", SourceChanges(address="http://10.9.9.9/", collection="General", allows_private=True))
    page, client = reverse("admin:kb_source_change", args=[source.pk]), enter("editor")
    sent = {"name": "Help", "schedule": "daily", "how": "publish", "collection": "General"}
    sent |= {"delay_seconds": "0", "depth": "10", "most": "100", "sections": "", "include": "", "exclude": ""}
    steps = [
        ("http://10.9.9.9/help", 302, True),
        ("http://10.9.9.9:6379/", 400, True),
        ("http://10.0.0.1/", 400, True),
        ("https://help.example/", 302, False),
        ("http://10.9.9.9/help", 400, False),
    ]
    for address, status, is_allowed in steps:
        assert client.post(page, sent | {"address": address}).status_code == status, address
        source.refresh_from_db()
        assert source.allows_private == is_allowed, address
    assert source.address == "https://help.example/"


@pytest.mark.one_in(2)
@pytest.mark.parametrize("step", ["fetch", "store"])
def test_nothing_of_the_former_address_is_left_if_it_is_changed_while_it_is_read(
    site: LocalSite, enter: Enter, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    add_site(enter("editor"), site.url)
    run = runs.end_preview(Source.objects.get())
    door = (Site, "fetch") if step == "fetch" else (run_worker, "store")
    done = getattr(*door)

    def moving(*args: Any, **more: Any) -> Any:
        monkeypatch.setattr(*door, done)
        got = done(*args, **more) if step == "fetch" else None
        change_source(Source.objects.get(), SourceChanges(address=f"{site.url}/help"))
        return got or done(*args, **more)

    monkeypatch.setattr(*door, moving)
    assert run_worker.serve(run.workspace_pk, run.pk) is False
    source = Source.objects.get()
    assert (source.address, source.memory) == (f"{site.url}/help", {})
    assert not SourceItem.objects.exists() and not Article.objects.exists()


@pytest.mark.long
def test_the_settings_stay_beside_the_pages_after_a_check(site: LocalSite, enter: Enter) -> None:
    client = enter("editor")
    site.pages = {path: page for path, page in site.pages.items() if path in ("/", "/wool")}
    add_site(client, site.url)
    source = Source.objects.get()
    runs.end_preview(source)
    work()
    page = reverse("admin:kb_source_change", args=[source.pk])
    ArticleCheck.objects.all().delete()
    ArticleCheck.objects.create(articles=list(Article.objects.values_list("pk", flat=True)), asks_gates=False)
    for state, expected in (("waiting", ["h-gates", "h-settings"]), ("done", ["h-settings"])):
        ArticleCheck.objects.update(state=state)
        side = LexborHTMLParser(client.get(page).content.decode()).css_first(".form-cols > .form-side")
        found = [str(node.attributes["aria-labelledby"]) for node in side.css("section[aria-labelledby]")]
        assert found[: len(expected)] == expected


@pytest.mark.long
def test_settings_are_saved(site: LocalSite, enter: Enter) -> None:
    client = enter("editor")
    add_site(client, site.url)
    source = Source.objects.get()
    sent = {"name": "Help", "schedule": "weekly", "how": "draft", "audience": "internal", "collection": "Team"}
    more = {"delay_seconds": "0", "depth": "3", "most": "50", "sections": "", "include": "/w*\n/f*", "exclude": "/felt"}
    client.post(reverse("admin:kb_source_change", args=[source.pk]), sent | more)
    source.refresh_from_db()
    assert (source.name, source.schedule, source.publishes, source.audience) == ("Help", "weekly", False, "internal")
    assert source.config["include"] == ["/w*", "/f*"]
    assert source.due_at is None  # nothing is read or published automatically before somebody confirms it
    SourceRun.objects.update(state="done")
    do(client, "sync")
    source.refresh_from_db()
    assert source.due_at is not None
    wrong = client.post(reverse("admin:kb_source_change", args=[source.pk]), sent | more | {"depth": "99"})
    assert wrong.status_code == 400


def test_people_without_the_right_to_write_can_only_read_a_source(
    site: LocalSite, enter: Enter, workspace: Workspace
) -> None:
    """They may not write to the source's collection."""
    add_site(enter("editor"), site.url, collection="Closed")
    with workspace_scope(workspace.pk):
        set_writers(get_or_create_collection("Closed")[0], [person(workspace, "editor", "writer")])
    for client in (enter("agent"), Client()):
        assert client.get(ADD).status_code in (302, 403)
    other = person(workspace, "editor", "other")
    client = Client(raise_request_exception=False)
    client.force_login(other)
    address = reverse("admin:kb_source_act", args=[Source.objects.get().pk])
    for what in ("sync", "cancel", "delete", "confirm"):
        assert client.post(address, {"do": what}).status_code == 403
    assert (Source.objects.count(), SourceRun.objects.get().state) == (1, "queued")
    assert add_site(client, site.url, collection="Closed").status_code == 403


HOSTILE = {
    "Évil page.html": b"<h1>Hello</h1><p>Words.</p><script>alert(1)</script>",
    "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "notes.md": b"# Notes\n\n<script>alert(1)</script> Words.\n",
}


def test_an_original_is_saved_and_never_rendered(workspace: Workspace, enter: Enter) -> None:
    client = enter("editor")
    with workspace_scope(workspace.pk):
        source = add_source("uploads", SourceChanges(name="Files"))
        add_files(source, [*HOSTILE.items()])
        stored = {file.path: file for file in source.files.all()}
    page = client.get(reverse("admin:kb_source_change", args=[source.pk])).content.decode()
    assert set(stored) == set(HOSTILE)
    for name, file in stored.items():
        address = reverse("admin:kb_source_original", args=[source.pk, file.pk])
        assert re.search(rf'href="{address}"\s+download', page)
        answer = client.get(address, headers={"Accept": "text/html"})
        assert answer.content == HOSTILE[name]
        assert answer["Content-Type"] == "application/octet-stream"
        assert answer["Content-Disposition"].startswith("attachment; filename")
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer["Content-Security-Policy"]
        assert "no-store" in answer["Cache-Control"]


def test_an_original_is_only_for_editors_and_under_its_own_source(
    workspace: Workspace, enter: Enter, stranger: Client
) -> None:
    with workspace_scope(workspace.pk):
        source, other = (add_source("uploads", SourceChanges(name=name)) for name in ("Files", "Others"))
        add_files(source, [*HOSTILE.items()])
        file = source.files.get(path="notes.md")
    address = reverse("admin:kb_source_original", args=[source.pk, file.pk])
    wrong = reverse("admin:kb_source_original", args=[other.pk, file.pk])
    assert enter("editor").get(wrong).status_code == 404
    agent = enter("agent")
    page = agent.get(reverse("admin:kb_source_change", args=[source.pk])).content.decode()
    assert "notes.md" in page
    assert address not in page
    for client, status in ((agent, 403), (stranger, 404), (Client(), 302)):
        answer = client.get(address)
        assert answer.status_code == status
        assert b"Words" not in answer.content
