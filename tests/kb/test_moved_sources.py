"""What moves within a source: pages to other addresses, files to other names, rows to other files."""

from pathlib import Path

import pytest

from kb.models import Article, Source, SourceItem
from kb.services import Change, archive, publish, save_draft
from kb.sources.services import SourceChanges, add_source
from kb.sources.uploads import add_files, remove_file
from kb.testing import HashEmbedder
from supportbot.accounts.models import Workspace
from tests.kb.local_site import LocalSite, Reply, themed
from tests.kb.made_files import Text, pdf, zipped
from tests.kb.source_commands import add, again, counts, live, reasons

pytestmark = pytest.mark.django_db
HELP = "Washing wool by hand takes water of 30 degrees and little soap."


def page(title: str, *targets: str, text: str = "") -> str:
    links = " ".join(f'<a href="{one}">{one}</a>' for one in targets)
    return themed(title, f"<p>{text or f'All about {title.lower()}, in {len(title)} steps.'}</p>", links=links)


def deep_site(site: LocalSite) -> None:
    """An article three links away from the start."""
    site.pages["/help/"] = page("Fern help", "/help/a", "/help/c", text="Everything about wool and yarn, day by day.")
    site.pages["/help/a"] = page("Dyeing yarn", "/help/b")
    site.pages["/help/b"] = page("Knitting socks", "/help/old")
    site.pages["/help/c"] = page("Felting")
    site.pages["/help/old"] = page("Washing wool", text=HELP)


@pytest.mark.long
@pytest.mark.parametrize("left", [None, Reply(b"gone", 410), Reply(status=301, headers={"Location": "/help/new"})])
def test_a_page_that_moves_nearer_to_the_start_stays_live(help_site: LocalSite, left: Reply | None) -> None:
    deep_site(help_site)
    add(f"{help_site.url}/help/")
    before = live()
    assert "Washing wool" in before and len(before) == 5
    help_site.pages["/help/new"] = help_site.pages.pop("/help/old")
    help_site.pages["/help/"] = str(help_site.pages["/help/"]).replace("/help/c", "/help/new")
    help_site.pages["/help/a"] = str(help_site.pages["/help/a"]).replace("/help/b", "/help/c")
    help_site.pages["/help/c"] = page("Felting", "/help/b")
    if left is not None:
        help_site.pages["/help/old"] = left
    told = again()
    assert live() == before
    assert (told["new"], told["gone"]) == (1, 1)
    [article] = Article.objects.filter(state="live", live_revision__title="Washing wool")
    assert article.url == f"{help_site.url}/help/new"
    assert counts(again())[:3] == (0, 0, 5)


@pytest.mark.long
def test_pages_that_swap_their_texts_both_stay_live(help_site: LocalSite) -> None:
    add(f"{help_site.url}/help/")
    help_site.pages["/help/wool"], help_site.pages["/help/knit"] = (
        help_site.pages["/help/knit"],
        help_site.pages["/help/wool"],
    )
    help_site.pages["/help/felt"], help_site.pages["/help/dye"] = (
        help_site.pages["/help/dye"],
        help_site.pages["/help/felt"],
    )
    again()
    assert live() == {"Washing wool", "Felting", "Dyeing yarn", "Knitting socks"}


@pytest.mark.long
def test_a_copy_of_a_page_that_fails_for_now_is_not_published_twice(help_site: LocalSite) -> None:
    add(f"{help_site.url}/help/")
    help_site.pages["/help/copy"] = help_site.pages["/help/wool"]
    help_site.pages["/help/wool"] = Reply(b"busy", 500)
    help_site.pages["/help/"] = str(help_site.pages["/help/"]).replace("</main>", "") + '<a href="/help/copy">Copy</a>'
    told = again()
    assert (told["broken"], told["new"]) == (1, 0)
    assert "same text" in reasons(told)["copy"]
    assert len(live()) == 4


@pytest.mark.long
def test_links_are_followed_from_the_start_although_known_pages_are_read_first(help_site: LocalSite) -> None:
    """The depth of a new page is its distance from the start, by the shortest path."""
    deep_site(help_site)
    add(f"{help_site.url}/help/", "--depth", "4")
    for name in ("old", "near"):  # known and three links away; new and one link away
        help_site.pages[f"/help/{name}"] = page(f"Page {name}", "/help/x")
    help_site.pages["/help/"] = str(help_site.pages["/help/"]).replace("/help/c", "/help/near")
    help_site.pages["/help/x"] = page("Page x", "/help/y")
    help_site.pages["/help/y"] = page("Page y", "/help/z")
    help_site.pages["/help/z"] = page("Page z")
    again()
    depths = dict(SourceItem.objects.values_list("key", "depth"))
    assert {key.rpartition("/")[2]: depth for key, depth in depths.items() if key[-1] in "xyz"} == {
        "x": 2,
        "y": 3,
        "z": 4,
    }


def rows(*names: str, text: str = "Two days") -> bytes:
    return (
        "id,question,answer\n" + "".join(f"{name},What about {name}?,{text} for {name}.\n" for name in names)
    ).encode()


def files(*given: tuple[str, bytes]) -> Source:
    source = add_source("uploads", SourceChanges(name="Files", collection="Care"))
    add_files(source, given)
    return source


def shown() -> set[str]:
    return set(Article.objects.filter(state="live").values_list("external_id", flat=True))


@pytest.mark.long
def test_a_file_with_ids_can_be_replaced_by_one_with_another_name(workspace: Workspace) -> None:
    source = files(("faq.csv", rows("a", "b")), ("fees.md", b"---\nid: fees\n---\n# Fees\n\nTen euros.\n"))
    again("Files")
    remove_file(source, "faq.csv")
    remove_file(source, "fees.md")
    add_files(source, [("faq-2.csv", rows("a", "b", "c")), ("a-fees.md", b"---\nid: fees\n---\n# Fees\n\n12 euros.\n")])
    told = again("Files")
    assert shown() == {"a", "b", "c", "fees"}, reasons(told)
    assert told["broken"] == 0
    assert "12 euros" in Article.objects.get(external_id="fees").live_revision.body
    assert counts(again("Files")) == (0, 0, 2, 0, 0, 0)


@pytest.mark.long
def test_a_renamed_zip_loses_nothing_and_asks_nobody(
    tmp_path: Path, workspace: Workspace, embedder: HashEmbedder
) -> None:
    manual = pdf([Text(60, 700, "The pump is kept dry.")])
    (tmp_path / "papers.zip").write_bytes(zipped({"pump.pdf": manual, "faq.csv": rows("a", "b")}))
    add(tmp_path)
    embedder.embedded.clear()
    (tmp_path / "papers.zip").rename(tmp_path / "papers-2026.zip")
    told = again()
    assert (told["state"], told["broken"]) == ("done", 0)
    assert shown() == {"pump.pdf", "a", "b"}
    assert embedder.embedded == []


@pytest.mark.long
@pytest.mark.parametrize(("before", "after"), [("x.csv", "y.csv"), ("y.csv", "x.csv")])
def test_a_row_that_moves_to_another_file_stays_live(workspace: Workspace, before: str, after: str) -> None:
    tables = {before: rows("a", "b"), after: rows("c")}
    source = files(*sorted(tables.items()))
    again("Files")
    add_files(source, [(before, rows("a")), (after, rows("b", "c"))])
    told = again("Files")
    assert shown() == {"a", "b", "c"}, reasons(told)
    assert Article.objects.get(external_id="b").source_item.key == after
    assert counts(again("Files")) == (0, 0, 2, 0, 0, 0)


@pytest.mark.long
def test_rows_that_change_places_between_files_stay_live(workspace: Workspace) -> None:
    source = files(("x.csv", rows("a", "b")), ("y.csv", rows("c", "d")))
    again("Files")
    add_files(source, [("x.csv", rows("a", "c")), ("y.csv", rows("b", "d"))])
    again("Files")
    assert shown() == {"a", "b", "c", "d"}


@pytest.mark.long
def test_a_row_that_returns_to_its_file_is_live_again(workspace: Workspace) -> None:
    source = files(("x.csv", rows("a", "b")))
    for names in (("a", "b"), ("a",), ("a", "b")):
        add_files(source, [("x.csv", rows(*names))])
        again("Files")
        assert shown() == set(names)


@pytest.mark.long
def test_a_row_moves_while_its_file_was_away(workspace: Workspace) -> None:
    source = files(("x.csv", rows("a", "b")))
    again("Files")
    remove_file(source, "x.csv")
    again("Files")
    assert shown() == set()
    add_files(source, [("x.csv", rows("a")), ("y.csv", rows("b"))])
    told = again("Files")
    assert (shown(), reasons(told)) == ({"a", "b"}, {})


@pytest.mark.long
def test_the_copy_of_an_id_takes_over_once_the_file_with_it_is_removed(workspace: Workspace) -> None:
    source = files(("x.csv", rows("a", "b", text="Old")), ("y.csv", rows("b", "c", text="New")))
    told = again("Files")
    assert "x.csv already uses the id “b”" in reasons(told)["y.csv"]
    assert shown() == {"a", "b", "c"}
    remove_file(source, "x.csv")
    told = again("Files")
    assert shown() == {"b", "c"}
    assert "New for b" in Article.objects.get(external_id="b").live_revision.body
    assert not reasons(told).get("y.csv")


@pytest.mark.long
def test_a_copy_of_an_id_is_reported_for_as_long_as_it_exists(workspace: Workspace) -> None:
    source = files(("x.csv", rows("a", "b")), ("y.csv", rows("b", "c")))
    again("Files")
    add_files(source, [("y.csv", rows("b", "c") + b"\n")])  # other bytes, the same texts
    for _ in range(2):
        assert "x.csv already uses the id “b”" in reasons(again("Files"))["y.csv"]


@pytest.mark.long
def test_what_a_person_archived_stays_archived_in_a_file_of_another_name(workspace: Workspace) -> None:
    source = files(("x.csv", rows("a", "b")))
    again("Files")
    article = archive(Article.objects.get(external_id="b").pk)
    remove_file(source, "x.csv")
    add_files(source, [("y.csv", rows("a", "b"))])
    told = again("Files")
    assert shown() == {"a"}
    assert "was archived here" in reasons(told)["y.csv"]
    publish(article.pk)
    told = again("Files")
    assert (shown(), reasons(told)) == ({"a", "b"}, {})


def test_an_article_archived_by_a_person_is_mentioned_only_until_it_is_published(workspace: Workspace) -> None:
    source = files(("x.csv", rows("a", "b")))
    again("Files")
    article = archive(Article.objects.get(external_id="b").pk)
    add_files(source, [("x.csv", rows("a", "b") + b"\n")])  # other bytes, the same texts
    assert "was archived here" in reasons(again("Files"))["x.csv"]
    publish(article.pk)
    told = again("Files")
    assert (shown(), reasons(told)) == ({"a", "b"}, {})


@pytest.mark.long
def test_a_problem_with_a_file_is_reported_for_as_long_as_it_exists(workspace: Workspace) -> None:
    bad = b"question,answer\nHow long?,Two days.\nHow much?,Five, or six euros.\n"
    source = files(("faq.csv", bad))
    for _ in range(3):
        assert "The row has 3 cells" in reasons(again("Files"))["faq.csv"]
    save_draft(Article.objects.get().pk, Change(body="An editor's words.\n"))
    add_files(source, [("faq.csv", bad + b"\n")])  # other bytes, the same texts
    told = again("Files")
    assert "The row has 3 cells" in reasons(told)["faq.csv"] and told["unchanged"] == 1
    assert Article.objects.get().latest_revision.body == "An editor's words.\n"
    add_files(source, [("faq.csv", bad.replace(b"Five, or six", b"Five"))])
    assert reasons(again("Files")) == {}
    assert reasons(again("Files")) == {}
