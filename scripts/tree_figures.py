#!/usr/bin/env python3
"""Print figures about the source tree: the number of modules, their imports, and long functions and lines.

    .venv/bin/python scripts/tree_figures.py [--list] [--turn] [--since COMMIT]

`--list` also lists everything that was counted. `--turn` also runs a turn and counts the modules on the path from a
message to its answer, which takes ten seconds and needs a database. `--since` also counts how many of an earlier
commit's modules still exist, which needs the git history. Needs the development packages. Each function's docstring
explains its figure. Product modules are the .py files of `supportbot`, `kb` and `actions`, except migrations, the test
doubles in testing.py, and files without code.
"""

import argparse
import ast
import json
import os
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import grimp

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = ("supportbot", "kb", "actions")
TEMPLATES: Final = ("templates", "examples")
ANSWERING: Final = "supportbot.assistant.turn"
TURN_TEST: Final = "tests/assistant/test_turn.py::test_an_answer_is_streamed_cited_and_stored"
SMALL_MODULE: Final = 70
LONG_FUNCTION: Final = 40
LONG_TEMPLATE_LINE: Final = 160
COMMIT_MARK: Final = "commit "


@dataclass(frozen=True)
class Module:
    name: str
    path: Path
    lines: int
    tree: ast.Module


@dataclass(frozen=True)
class Figure:
    label: str
    value: str
    found: tuple[str, ...] = ()


def main() -> None:
    arguments = argparse.ArgumentParser(description="Print the figures of the tree.")
    arguments.add_argument("--list", action="store_true", help="also list what was counted")
    arguments.add_argument("--turn", action="store_true", help="also run a turn and count the modules on its path")
    arguments.add_argument("--since", metavar="COMMIT", help="also count this commit's modules that still exist")
    options = arguments.parse_args()
    is_listing = options.list
    found = [*figures(ROOT), *(figures_of_a_turn(ROOT) if options.turn else ())]
    for figure in [*found, *(figures_since(ROOT, options.since, PACKAGES) if options.since else ())]:
        sys.stdout.write(f"{figure.value:>7}  {figure.label}\n")
        if is_listing:
            sys.stdout.writelines(f"         {name}\n" for name in figure.found)


def figures(root: Path) -> list[Figure]:
    sys.path.insert(0, str(root))  # grimp finds packages as Python does
    modules = product_modules(root, PACKAGES)
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)
    small = small_modules_with_one_importer(modules, graph)
    reached = reached_from(ANSWERING, modules, graph)
    long = long_functions(modules)
    private, once = private_functions(modules)
    circles = import_circles(modules, graph)
    wide = long_template_lines(templates_in(root))
    return [
        Figure("product modules", str(len(modules))),
        Figure("lines in them", str(sum(module.lines for module in modules.values()))),
        Figure(f"modules under {SMALL_MODULE} lines with exactly one importer", str(len(small)), small),
        Figure(f"modules that {ANSWERING} reaches by imports", str(len(reached)), _by_room(reached)),
        Figure(f"functions above {LONG_FUNCTION} lines", str(len(long)), long),
        Figure("private functions", str(private)),
        Figure("of them called from one place", f"{100 * len(once) / max(private, 1):.0f} %", once),
        Figure("import circles", str(len(circles)), tuple(" <-> ".join(circle) for circle in circles)),
        Figure(f"lines of templates above {LONG_TEMPLATE_LINE} characters", str(len(wide)), wide),
    ]


def product_modules(root: Path, packages: Iterable[str]) -> dict[str, Module]:
    found = (module for package in packages for module in _modules_below(root, package))
    return {module.name: module for module in found if module.tree.body}


def _modules_below(root: Path, package: str) -> Iterator[Module]:
    for path in sorted((root / package).glob("**/*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if "migrations" not in parts and parts[-1] != "testing":
            text = path.read_text(encoding="utf-8")
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield Module(name, path, len(text.splitlines()), ast.parse(text))


def small_modules_with_one_importer(modules: Mapping[str, Module], graph: grimp.ImportGraph) -> tuple[str, ...]:
    """Return short modules that only one other product module imports, and that could therefore be merged into it.

    Settings that name a module, and Django and Celery, which find modules by file name, do not count as importers.
    """
    return tuple(
        f"{name} ({module.lines} lines) <- {importers[0]}"
        for name, module in modules.items()
        if module.lines < SMALL_MODULE and module.path.name != "__init__.py"
        if len(importers := sorted(graph.find_modules_that_directly_import(name) & modules.keys())) == 1
    )


def reached_from(start: str, modules: Mapping[str, Module], graph: grimp.ImportGraph) -> tuple[str, ...]:
    """Return the product modules that a module imports, directly or indirectly, including itself.

    For the module that answers a turn, this is every module that may run between the claim of the turn and its final
    event, for any message. The socket that receives the message, modules named in settings (the model's provider) and
    tasks sent by name are not included. `figures_of_a_turn` counts the modules that do run for one question.
    """
    return tuple(sorted(({start} | graph.find_upstream_modules(start)) & modules.keys()))


def figures_of_a_turn(root: Path) -> list[Figure]:
    """Run one turn, in which a model answers a question from the articles, and count the modules on its path.

    The path begins where the message is stored and ends with the final event. It includes neither the socket nor code
    that runs only after an error, for an action or without a model. A module is a stop if its functions call another
    module: a reader who follows the message has to read on there. The other modules only return a value, so their names
    and docstrings should be enough.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "modules.json"
        command = [sys.executable, "-m", "pytest", "-p", "scripts.turn_modules", TURN_TEST, "-q"]
        subprocess.run(
            command, cwd=root, env={**os.environ, "TURN_MODULES": str(file)}, check=True, capture_output=True
        )
        found: dict[str, list[str]] = json.loads(file.read_text(encoding="utf-8"))
    stops = tuple(name for name, following in found.items() if following)
    return [
        Figure("modules that run from a message to its answer", str(len(found)), _by_room(found)),
        Figure("of them stops, which call another module", str(len(stops)), stops),
    ]


def figures_since(root: Path, commit: str, packages: Sequence[str]) -> list[Figure]:
    """Count the product modules of an earlier commit, and how many of them still exist in the last commit.

    A module that was moved, renamed or changed still exists; git recognises a move as long as half of the file stays
    the same in that commit. One that was deleted, merged into another or divided among several does not.
    """
    with TemporaryDirectory() as folder:
        files = subprocess.run(["git", "archive", commit, *packages], cwd=root, check=True, capture_output=True).stdout
        with tarfile.open(fileobj=BytesIO(files)) as archive:
            archive.extractall(folder, filter="data")
        former = _paths(Path(folder), packages)
    now = _paths(root, packages)
    places = {path: place for path, place in _followed(root, commit, former).items() if place in now}
    kept = tuple(path if path == place else f"{path} -> {place}" for path, place in places.items())
    return [
        Figure(f"product modules at {commit}", str(len(former))),
        Figure("of them still exist, perhaps under a different name", str(len(kept)), kept),
    ]


def _paths(root: Path, packages: Iterable[str]) -> list[str]:
    return [module.path.relative_to(root).as_posix() for module in product_modules(root, packages).values()]


def _followed(root: Path, commit: str, paths: Iterable[str]) -> dict[str, str]:
    """Return the present path of each file that was not deleted since the commit, by its former path."""
    finding_moves = ["--break-rewrites", "--find-renames=50%", "--diff-filter=RD", "--name-status"]
    shown = [f"--format={COMMIT_MARK}%H", f"{commit}..HEAD"]
    command = ["git", "log", "--first-parent", "--reverse", *finding_moves, *shown]
    log = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    places = {path: path for path in paths}
    for changes in log.split(COMMIT_MARK):
        moved = {path: to for _, path, *to in (line.split("\t") for line in changes.splitlines() if "\t" in line)}
        staying = set(places.values()) - moved.keys()  # a module that moves to one of these paths was merged into it
        now = {path: "".join(moved.get(place, [place])) for path, place in places.items()}
        places = {
            path: place for path, place in now.items() if place and (place == places[path] or place not in staying)
        }
    return places


def long_functions(modules: Mapping[str, Module]) -> tuple[str, ...]:
    """Return the functions with more lines than the limit, counted from `def` to the last line, docstring included."""
    return tuple(
        f"{module.name}.{function.name} ({length} lines)"
        for module in modules.values()
        for function in _functions(module)
        if (length := (function.end_lineno or function.lineno) - function.lineno + 1) > LONG_FUNCTION
    )


def private_functions(modules: Mapping[str, Module]) -> tuple[int, tuple[str, ...]]:
    """Return the number of functions and methods with one leading underscore, and those referenced only once."""
    total, once = 0, []
    for module in modules.values():
        named = Counter(_names(module.tree))
        private = [f.name for f in _functions(module) if f.name.startswith("_") and not f.name.endswith("__")]
        total += len(private)
        once += [f"{module.name}.{name}" for name in private if named[name] == 1]
    return total, tuple(once)


def import_circles(modules: Mapping[str, Module], graph: grimp.ImportGraph) -> list[tuple[str, ...]]:
    """Return the groups of modules that import each other in a circle.

    A package whose __init__ imports its own modules counts too.
    """
    circles: list[tuple[str, ...]] = []
    seen: set[str] = set()
    for name in modules:
        if name not in seen:
            circle = {name} | (graph.find_upstream_modules(name) & graph.find_downstream_modules(name))
            seen |= circle
            if len(circle) > 1:
                circles.append(tuple(sorted(circle)))
    return circles


def templates_in(root: Path) -> Iterator[Path]:
    """Yield the templates of pages and of mails."""
    for folder in TEMPLATES:
        for page in (root / folder).glob("**/*"):
            if page.suffix == ".html" or (page.suffix == ".txt" and "templates" in page.parts):
                yield page


def long_template_lines(pages: Iterable[Path]) -> tuple[str, ...]:
    return tuple(
        f"{page.name}:{number}"
        for page in sorted(pages)
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1)
        if len(line) > LONG_TEMPLATE_LINE
    )


def _functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def _by_room(names: Iterable[str]) -> tuple[str, ...]:
    packages = Counter(".".join(name.split(".")[: 2 if name.startswith("supportbot.") else 1]) for name in names)
    return tuple(f"{count:>3} {package}" for package, count in packages.most_common())


if __name__ == "__main__":
    main()
