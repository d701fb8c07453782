"""Links between files that were imported together lead from one help page to the other."""

from pathlib import Path

import pytest
from django.test import Client
from selectolax.lexbor import LexborHTMLParser

from kb.broken_links import broken_links
from kb.models import Article
from kb.services import archive
from supportbot.accounts.models import Workspace
from tests.kb.import_command import run
from tests.kb.made_files import zipped
from tests.kb.source_commands import add

pytestmark = pytest.mark.django_db
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


def test_files_with_ids_of_their_own_are_found_by_their_place(
    client: Client, workspace: Workspace, manual: Path, tmp_path: Path
) -> None:
    (manual / "returns.md").write_text("---\nid: send-back\n---\n# Returns\n\nText.\n")
    (manual / "guide/shipping.md").write_text(f"---\nid: parcels\n---\n{SHIPPING}")
    add(manual)
    expected = {**EXPECTED, "returns": "/help/wrenfell/send-back/#fees"}
    assert expected.items() <= links(client, "Shipping").items()


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
