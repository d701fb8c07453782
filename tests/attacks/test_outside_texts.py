"""External text (sites, files, links, names) must neither stop a process, nor break a page, nor disclose secrets."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from kb.errors import InvalidDocument
from kb.importing.loaders import html
from kb.sources.web.page import read_page
from kb.sources.web.robots import parse_robots
from kb.sources.web.shared_boilerplate import Frame
from kb.sources.web.sitemap import parse_sitemap
from supportbot.accounts.first_administrator import make_link
from supportbot.accounts.models import Workspace
from supportbot.errors import InvalidInput
from supportbot.evals.errors import InvalidSuite
from supportbot.evals.suite_formats.files import read_suite
from supportbot.language.personal_data import without_names
from supportbot.llm import connections
from tests.kb.import_command import failures, run


def suite(case: dict[str, Any]) -> bytes:
    return json.dumps({"suite": "a", "cases": [{"ask": "?", "expect": {"contains": "x"}, **case}]}).encode()


def test_a_sites_robots_txt_cannot_stop_the_worker() -> None:
    """A pattern made of six stars took minutes for one address, while it held the interpreter's lock."""
    rules = parse_robots("User-agent: *\nDisallow: /" + "*a" * 19 + "*b$", "supportbot")
    assert rules.allows("https://shop.example/" + "a" * 2_000 + "c")
    assert not rules.allows("https://shop.example/" + "a" * 2_000 + "b")


@pytest.mark.parametrize(
    ("rule", "path", "is_allowed"),
    [
        ("/help", "/helpful", False),
        ("/help$", "/help", False),
        ("/help$", "/helpful", True),
        ("/*.pdf$", "/a.pdf", False),
        ("/*.pdf$", "/a.pdf?x", True),
        ("/a*b*c", "/a-b-c-d", False),
        ("/a*b*c", "/a-c-b", True),
        ("/ab*ab$", "/ab", True),
        ("*", "/x", False),
    ],
)
def test_robots_rules_match_as_before(rule: str, path: str, is_allowed: bool) -> None:
    rules = parse_robots(f"User-agent: *\nDisallow: {rule}", "supportbot")
    assert rules.allows(f"https://shop.example{path}") is is_allowed


def test_a_sitemap_of_spaces_cannot_stop_the_worker() -> None:
    """Two hundred spaces took twelve seconds; four hundred took minutes."""
    good = (
        b"<loc> https://a.example/1 </loc><loc><![CDATA[https://a.example/2]]></loc><x:loc>https://a.example/3</x:loc>"
    )
    found = parse_sitemap(b"<urlset><loc>" + b" " * 1_000_000 + b"</x>" + good)
    assert found.pages == ("https://a.example/1", "https://a.example/2", "https://a.example/3")


def test_a_page_of_many_levels_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 20,000 levels and as many headers, half a megabyte took hours."""
    monkeypatch.setattr(html, "MAX_UNTRIED", 500)
    with pytest.raises(InvalidDocument, match="nested more than 512 levels deep"):
        read_page("<div>" * 600 + "<header></header>" * 600, "https://a.example/", Frame())
    page = read_page("<main><h1>Wool</h1>" + "<p>Wash it.</p>" * 600 + "</main>", "https://a.example/", Frame())
    assert (page.title, page.body.count("Wash it.")) == ("Wool", 600)


@pytest.mark.django_db
@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("<div>" * 100_000, "The page's elements are nested more than 512 levels deep."),
        (
            "<p>Wool</p>" * 10_000 + "<div>" * 100_000,
            "its elements are nested too deeply (at most 512 levels are read)",
        ),
        ("<p " + " ".join(f"a{n}" for n in range(100_000)) + ">Wool", "has thousands of attributes"),
    ],
)
def test_a_page_that_takes_too_long_is_refused(tmp_path: Path, page: str, told: str) -> None:
    """The first page took 17 seconds; the last one took 13, in the program's own process."""
    (tmp_path / "page.html").write_text(page)
    assert told in failures(run(tmp_path / "page.html"))["page.html"]
    with pytest.raises(InvalidDocument, match=re.escape(told)):
        read_page(page, "https://a.example/", Frame())


@pytest.mark.parametrize(
    "data",
    [
        suite({"ask": "a\0b"}),
        suite({"note": "\ud800"}),
        suite({"expect": {"proposes": {"action": "x", "arguments": {"a": float("nan")}}}}),
        suite({"tags": ["x"] * 21}),
        suite({"history": [{"customer": "x"}] * 201}),
        b'{"suite": "a", "title": "\\u0000", "cases": [{"ask": "?", "expect": {"contains": "x"}}]}',
        b'{"suite": "a"}\n{"ask": "?", "expect": {"proposes": {"action": "x", "arguments": {"a": '
        + b"[" * 500 + b"]" * 500 + b"}}}}",
        b'{"tests": [{"vars": {"question": "q"}, "assert": [{"type": "latency", "threshold": "abc"}]}]}',
        b'{"tests": [{"vars": {"question": "q"}, "assert": [{"type": "factuality", "value": []}]}]}',
        json.dumps({"tests": [{"vars": {"question": "q"}}] * 3_000}).encode(),
        suite({"expect": {"pattern": "[^!]*[^!]*[^!]{0,100}!"}}),
    ],
)  # fmt: skip
def test_a_suite_that_cannot_be_stored_or_played_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidSuite):
        read_suite(data, file="suite.json")


def test_a_few_megabytes_of_a_promptfoo_file_do_not_become_terabytes() -> None:
    bomb = {"type": "icontains", "value": "{{q}}" * 200_000}
    data = {"defaultTest": {"assert": [bomb]}, "tests": [{"vars": {"q": "y" * 1_000_000, "question": "q"}}]}
    with pytest.raises(InvalidSuite, match="too long"):
        read_suite(json.dumps(data).encode(), file="suite.json")


@pytest.mark.parametrize(
    ("name", "text", "masked"),
    [
        ("李小龙", "我是李小龙先生。", "我是[X]先生。"),
        ("王伟", "你好,王伟。", "你好,[X]。"),
        ("김철수", "김철수님 안녕하세요", "[X]님 안녕하세요"),
        ("Ann-Marie O'Neill", "Marie here", "[X] here"),
        ("Jo Li", "Jo Li joined", "[X] joined"),
        ("Ann", "Annual", "Annual"),
    ],
)
def test_names_are_masked_in_scripts_without_spaces_between_words(name: str, text: str, masked: str) -> None:
    assert without_names(text, {name: "[X]"}) == masked


@pytest.mark.django_db
def test_help_pages_handle_a_nul_character(client: Client, workspace: Workspace) -> None:
    for name in ("a%00.md", "%00/", "answer?q=%00", "answer?q=a&lang=%00", "?section=%00&lang=%00"):
        assert client.get(f"/help/{workspace.slug}/{name}").status_code in (200, 204, 404), name


@pytest.mark.django_db
def test_a_refused_setup_form_does_not_put_its_link_into_the_log(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """The link still works, so anyone who reads the log could become the first administrator."""
    link = make_link()
    page = link[link.index("/admin/") :]
    refused = client.post(page, {"name": "Ada", "email": "ada@shop.example", "password": "short"})
    assert refused.status_code == 422
    assert page.split("/")[3] not in caplog.text


@pytest.mark.django_db
def test_a_key_is_not_sent_over_an_unencrypted_connection(workspace: Workspace, settings: Any) -> None:
    from ipaddress import ip_network

    settings.PRIVATE_NETWORKS = (ip_network("10.0.0.0/8"),)
    values = {"name": "One", "base_url": "https://10.0.0.1/v1", "model": "m"}
    made = connections.save(values, key="secret", actor="ada")
    with pytest.raises(InvalidInput) as refused:
        connections.save({**values, "base_url": "http://10.0.0.1/v1"}, key="", actor="ada", connection_id=made.pk)
    assert "key" in refused.value.fields
