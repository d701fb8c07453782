"""Fixtures for the knowledge base."""

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from kb import ports
from kb.testing import HashEmbedder
from supportbot.accounts.models import Workspace
from tests.kb.local_site import LocalSite, local_site, themed


@pytest.fixture(autouse=True)
def embedder(settings: Settings) -> Iterator[HashEmbedder]:
    """The test's embedder, which uses no model and records the texts it embeds."""
    settings.KB_EMBEDDER = "kb.testing.HashEmbedder"
    ports._load.cache_clear()
    loaded = ports.embedder()
    assert isinstance(loaded, HashEmbedder)
    yield loaded
    ports._load.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, workspace: Workspace) -> Path:
    (tmp_path / "delivery").mkdir()
    (tmp_path / "delivery" / "costs.md").write_text(
        '---\nid: 0042\ntitle: "Costs: what you pay"\nurl: https://shop.example/costs\nlocale: de_DE\n'
        "audience: signed_in\ncategory: Delivery\ntranslation_of: other\n---\n\n"
        "## Costs\n\nDelivery costs 4.90 euros.\n"
    )
    (tmp_path / "times.md").write_text("# Delivery *times* {#top}\n\nA parcel takes two days.\n")
    (tmp_path / "plain-words.txt").write_text("Ring us up.\n")
    (tmp_path / "page.html").write_text("<title>Page</title><script>no()</script><p>A page about <b>tents</b>.</p>")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    return tmp_path


@pytest.fixture
def papers(tmp_path: Path, workspace: Workspace) -> Path:
    for name in ("one", "two", "three", "four", "five"):
        (tmp_path / f"{name}.md").write_text(f"# Paper {name}\n\nWords of {name}.\n")
    return tmp_path


@pytest.fixture
def site(settings: Settings, workspace: Workspace) -> Iterator[LocalSite]:
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
