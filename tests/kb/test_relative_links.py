"""Links between files that were imported together lead from one help page to the other."""

from pathlib import Path

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from selectolax.lexbor import LexborHTMLParser

from kb.help_centre.broken_links import broken_links
from kb.help_centre.slugs import rename
from kb.models import Article, Source
from kb.pictures import add_picture, address_of
from kb.services import Change, archive, create_article, publish
from supportbot.accounts.models import Workspace
from tests.console.test_firststeps import png
from tests.kb.import_command import run
from tests.kb.made_files import zipped
from tests.kb.source_commands import add, command

pytestmark = pytest.mark.django_db
HELP = "/help/wrenfell"
SHIPPING = """# Shipping

See [returns](../returns.md#fees), [the list](list.htm), [prices](prices), [the forms](../forms/) and
[a form](../forms/refund.xlsx). [Outside](../../secret.md) and [above](..) are no articles, and [here](#later) and
[the shop](https://shop.example/a.md) are as they were.

## Later

Text.
"""
FILES = {
    "guide/shipping.md": SHIPPING.encode(),
    "guide/prices.md": b"# Prices\n\nText.\n",
    "guide/list.htm": b'<h1>List</h1><p>To <a href="shipping.md">shipping</a> or <a href="javascript:x()">x</a>.</p>',
    "returns.md": b"---\ntitle: Returns\n---\nText.\n",
    "forms/index.md": b"# Forms\n\nText.\n",
}
EXPECTED = {
    "returns": "/help/wrenfell/returns.md/#fees",
    "the list": "/help/wrenfell/guide/list.htm/",
    "prices": "/help/wrenfell/guide/prices.md/",
    "the forms": "/help/wrenfell/forms/index.md/",
    "here": "#later",
    "the shop": "https://shop.example/a.md",
}


@pytest.fixture
def manual(tmp_path: Path) -> Path:
    folder = tmp_path / "manual"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def links(client: Client, title: str) -> dict[str, str]:
    article = Article.objects.get(live_revision__title=title)
    page = LexborHTMLParser(client.get(f"/help/wrenfell/{article.external_id}/").content.decode())
    return {node.text(): str(node.attributes["href"]) for node in page.css(".prose a, article a") if node.text()}


def test_links_of_an_imported_folder_lead_to_its_articles(client: Client, workspace: Workspace, manual: Path) -> None:
    run(manual)
    assert EXPECTED.items() <= (found := links(client, "Shipping")).items()
    assert not {"a form", "Outside", "above"} & set(found), "their text stays without a link"
    assert links(client, "List")["shipping"] == "/help/wrenfell/guide/shipping.md/"
    lost = ["../forms/refund.xlsx", "../../secret.md", ".."]
    assert [broken.target for broken in broken_links()] == lost

    archive(Article.objects.get(live_revision__title="Prices").pk)
    assert "prices" not in links(client, "Shipping")
    assert [broken.target for broken in broken_links()] == ["prices", *lost]


def test_links_on_web_pages_may_contain_spaces_and_brackets(
    client: Client, workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "price list (2026).html").write_text("<h1>Prices</h1><p>Ten euros.</p>")
    other = "https://en.wikipedia.org/wiki/Fern_(plant)"
    page = f"<h1>Start</h1><p>See <a href='price list (2026).html#a\n'>prices</a> and <a href='{other}'>ferns</a>.</p>"
    (tmp_path / "start.html").write_text(page)
    run(tmp_path)
    found = links(client, "Start")
    assert found["prices"] == f"{HELP}/price%20list%20%282026%29.html/#a"
    assert found["ferns"] == other.replace("(", "%28").replace(")", "%29")
    assert broken_links() == []


@pytest.mark.long
def test_files_with_ids_of_their_own_are_found_by_their_place(
    client: Client, workspace: Workspace, manual: Path, tmp_path: Path
) -> None:
    (manual / "returns.md").write_text("---\nid: send-back\n---\n# Returns\n\nText.\n")
    (manual / "guide/shipping.md").write_text(f"---\nid: parcels\n---\n{SHIPPING}")
    add(manual)
    expected = {**EXPECTED, "returns": "/help/wrenfell/send-back/#fees"}
    assert expected.items() <= links(client, "Shipping").items()


@pytest.mark.long
def test_links_inside_a_zip_file_stay_in_it(client: Client, workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "zips"
    folder.mkdir()
    (folder / "manual.zip").write_bytes(zipped(FILES))
    add(folder)
    assert [one for one in links(client, "Shipping").values() if one.endswith("returns.md/#fees")]


def test_links_that_browsers_resolve_from_the_pages_address_still_lead_there(
    client: Client, workspace: Workspace, manual: Path
) -> None:
    (manual / "guide/shipping.md").write_text("# Shipping\n\nSee [returns](../../returns.md/?x=1#fees).\n")
    run(manual)
    assert links(client, "Shipping")["returns"] == "/help/wrenfell/returns.md/#fees"
    assert broken_links() == []


def renamed(article: Article, slug: str) -> None:
    with transaction.atomic():
        rename(article, slug)


def contents_page(count: int) -> bytes:
    return ("# Contents\n\n" + " ".join(f"[page {number}](pages/{number}.md)" for number in range(count))).encode()


@pytest.mark.long
@pytest.mark.parametrize("is_source", [False, True])
def test_all_links_of_a_contents_page_are_looked_up_together(
    client: Client, workspace: Workspace, tmp_path: Path, is_source: bool
) -> None:
    (tmp_path / "pages").mkdir()
    for number in range(40):
        (tmp_path / f"pages/{number}.md").write_text(f"# Page {number}\n\nText {number}.\n")
    (tmp_path / "few.md").write_bytes(contents_page(2).replace(b"# Contents", b"# Few"))
    (tmp_path / "all.md").write_bytes(contents_page(40))
    (add if is_source else run)(tmp_path)
    for title in ("Few", "Contents"):  # what is read once per process or page is read now
        links(client, title)
    numbers = []
    for title, count in (("Few", 2), ("Contents", 40)):
        with CaptureQueriesContext(connection) as queries:
            found = links(client, title)
        assert {f"page {number}" for number in range(count)} <= found.keys()
        numbers.append(len(queries))
    assert numbers[1] - numbers[0] < 5  # the related articles can differ
    assert broken_links() == []


@pytest.mark.long
def test_links_between_files_stay_within_their_source(client: Client, workspace: Workspace, tmp_path: Path) -> None:
    ours, others = tmp_path / "ours", tmp_path / "others"
    for folder in (ours, others):
        folder.mkdir()
    (ours / "start.md").write_text(
        "---\nid: start-1\n---\n# Start\n\n[Fees](fees.md), [prices](prices), [old](old.md).\n"
    )
    (ours / "fees.md").write_text("---\nid: a-fees\n---\n# Fees\n\nText.\n")
    (ours / "prices.md").write_text("---\nid: a-prices\n---\n# Prices\n\nText.\n")
    (others / "fees.md").write_text("# Fees of others\n\nOther text.\n")
    (others / "old.md").write_text("# Old of others\n\nOther words.\n")
    add(ours)
    add(others)
    renamed(create_article(Change(title="Prices of all", body="Words.")), "shop/prices")
    found = links(client, "Start")
    assert found["Fees"] == "/help/wrenfell/a-fees/"
    assert found["prices"] == "/help/wrenfell/a-prices/"
    assert "old" not in found
    assert [broken.target for broken in broken_links()] == ["old.md"]

    Source.objects.filter(name="ours").update(name="Renamed")
    (ours / "fees.md").write_text("---\nid: a-fees\n---\n# Fees\n\nNewer text.\n")
    command("source_sync", "Renamed")
    assert links(client, "Start")["Fees"] == "/help/wrenfell/a-fees/"


def test_links_of_a_page_written_here_work_as_in_a_browser(client: Client, workspace: Workspace) -> None:
    picture = address_of(add_picture(png()))
    target = publish(create_article(Change(title="Target", body="Text."), external_id="target").pk)
    renamed(target, "older")
    renamed(target, "newer")
    body = f"[Home](..), [search](../?q=x), [old](../older), [no](../no), [picture](..{picture.removeprefix(HELP)})"
    publish(create_article(Change(title="Written", body=body), external_id="written").pk)
    found = links(client, "Written")
    assert {name: found.get(name) for name in ("Home", "search", "picture", "old", "no")} == {
        "Home": "/help/wrenfell/",
        "search": "/help/wrenfell/?q=x",
        "picture": picture,
        "old": "/help/wrenfell/newer/",
        "no": None,
    }
    assert [broken.target for broken in broken_links()] == ["../no"]
