"""The figures of `scripts/tree_figures.py`, counted on a small tree with known figures; and the limits that the product
keeps.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import grimp
import pytest

from scripts import tree_figures

FILES = {
    "shed/__init__.py": "",
    "shed/door.py": "from shed import lock\n\n\ndef enter():\n    return lock.open_it()\n",
    "shed/lock.py": "from shed import key, rust\n\n\n"
    "def open_it():\n    return _turn() + _turn() + _once() + rust.eat()\n\n\n"
    "def _turn():\n    return 1\n\n\n"
    "def _once():\n    return key.fits()\n",
    "shed/key.py": "def fits():\n    from shed import lock\n\n    return lock\n",
    "shed/rust.py": "def eat():\n" + "    eaten = 1\n" * 80 + "    return eaten\n",
    "shed/testing.py": "from shed import door, key\n",
    "shed/migrations/__init__.py": "",
    "shed/migrations/0001_first.py": "from shed import door\n",
}


MOST_SMALL_MODULES = 10  # pure decisions with their own tests, and modules that Django finds by their name


def test_the_product_keeps_its_limits() -> None:
    modules = tree_figures.product_modules(tree_figures.ROOT, tree_figures.PACKAGES)
    graph = grimp.build_graph(*tree_figures.PACKAGES, exclude_type_checking_imports=True, cache_dir=None)
    assert tree_figures.import_circles(modules, graph) == []
    assert tree_figures.long_functions(modules) == ()
    assert tree_figures.long_template_lines(tree_figures.templates_in(tree_figures.ROOT)) == ()
    small = tree_figures.small_modules_with_one_importer(modules, graph)
    assert len(small) <= MOST_SMALL_MODULES, "\n".join(small)


@pytest.fixture
def shed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    graph = grimp.build_graph("shed", cache_dir=None)
    yield SimpleNamespace(modules=tree_figures.product_modules(tmp_path, ["shed"]), graph=graph)
    for name in [name for name in sys.modules if name.partition(".")[0] == "shed"]:
        del sys.modules[name]


def test_migrations_test_doubles_and_empty_files_are_not_counted(shed: SimpleNamespace) -> None:
    assert sorted(shed.modules) == ["shed.door", "shed.key", "shed.lock", "shed.rust"]


def test_a_short_module_is_listed_with_its_only_importer(shed: SimpleNamespace) -> None:
    found = tree_figures.small_modules_with_one_importer(shed.modules, shed.graph)
    # Two modules import lock, rust is long, and nothing imports door.
    assert found == ("shed.key (4 lines) <- shed.lock",)


def test_reached_modules_include_indirect_imports(shed: SimpleNamespace) -> None:
    reached = tree_figures.reached_from("shed.door", shed.modules, shed.graph)
    assert reached == ("shed.door", "shed.key", "shed.lock", "shed.rust")


def test_long_functions_are_listed_with_their_length(shed: SimpleNamespace) -> None:
    assert tree_figures.long_functions(shed.modules) == ("shed.rust.eat (82 lines)",)


def test_a_private_function_referenced_once_has_one_caller(shed: SimpleNamespace) -> None:
    assert tree_figures.private_functions(shed.modules) == (2, ("shed.lock._once",))


def test_an_import_inside_a_function_closes_a_cycle(shed: SimpleNamespace) -> None:
    assert tree_figures.import_circles(shed.modules, shed.graph) == [("shed.key", "shed.lock")]


def test_long_lines_of_templates_are_listed(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p>\n" + "x" * 161 + "\n" + "x" * 160 + "\n")
    assert tree_figures.long_template_lines([page]) == ("page.html:2",)


def test_templates_of_pages_and_mails_are_measured(tmp_path: Path) -> None:
    for name in ("templates/page.html", "templates/mail.txt", "examples/a/templates/mail.txt", "examples/a/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = {str(page.relative_to(tmp_path)) for page in tree_figures.templates_in(tmp_path)}
    assert found == {"templates/page.html", "templates/mail.txt", "examples/a/templates/mail.txt"}


def test_modules_of_an_earlier_commit_are_followed_through_renames(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    def commit(**texts: str | None) -> str:
        """Write the modules of the shed, and delete those that are None."""
        for name, text in texts.items():
            module = tmp_path / "shed" / f"{name}.py"
            module.unlink() if text is None else module.write_text(text)
        git("add", "--all")
        git("commit", "--quiet", "--message", "Tidy up.")
        return git("rev-parse", "HEAD")

    names = ("door", "lock", "key", "rust", "oil")
    modules = {name: "".join(f"{name}_{n} = {n}\n" for n in range(99)) for name in names}
    (tmp_path / "shed").mkdir()
    git("init", "--quiet")
    former = commit(**modules, testing="fake = 1\n", empty="")
    commit(door=modules["lock"], lock=None, gate=modules["door"])  # lock takes the path of door in the same commit
    commit(rust=None, gate=None, portal=modules["door"] + "wide = True\n")
    commit(rust="another = 1\n", oil=modules["oil"] + modules["key"], key=None)  # rust is new, key was merged into oil
    before, still = tree_figures.figures_since(tmp_path, former, ["shed"])
    assert (before.label, before.value) == (f"product modules at {former}", "5")
    assert (still.value, still.found) == (
        "3",
        ("shed/door.py -> shed/portal.py", "shed/lock.py -> shed/door.py", "shed/oil.py"),
    )


@pytest.mark.long
def test_figures_of_the_product_are_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["tree_figures.py"])
    tree_figures.main()
    printed = capsys.readouterr().out
    assert "product modules" in printed and "import circles" in printed
