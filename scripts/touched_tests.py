#!/usr/bin/env python3
"""Print the paths of the tests to run after a change, for `make check`: those for the files that differ from a base.

    .venv/bin/python scripts/touched_tests.py [BASE]

BASE defaults to `main`, or `origin/main` if there is no such branch. Uncommitted changes count too. For a product
module, it prints the tests of its package that import it, or all of the package's tests if none does. Browser tests,
tests of whole processes and chaos tests are left to `make test`.
"""

import ast
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
BASES: Final = ("main", "origin/main")
SLOW: Final = frozenset({"browser", "chaos", "flows"})
# The tests of files that are not product modules, by the beginning of the file's path; the first match counts.
LOOKED_AT: Final = (
    ("templates/desk/", ("tests/test_templates.py", "tests/handoff")),
    ("templates/kb/", ("tests/test_templates.py", "tests/kb/test_pages.py", "tests/kb/test_pages_languages.py")),
    ("templates/widget/", ("tests/test_templates.py", "tests/widget/test_hosted_page.py")),
    ("templates/pages/", ("tests/test_templates.py", "tests/test_home_and_error_pages.py")),
    ("templates/", ("tests/test_templates.py", "tests/console")),
    ("locale/customer/", ("tests/test_messages.py", "tests/test_translation.py", "tests/assistant/test_languages.py")),
    ("locale/", ("tests/test_messages.py",)),
    ("examples/shop/", ("tests/test_templates.py", "tests/shop")),
    ("docs/openapi.yaml", ("tests/test_openapi.py",)),
    ("CHANGELOG.md", ("tests/test_changelog.py", "tests/test_docs.py")),
    ("supportbot/settings.py", ("tests/test_startup.py", "tests/test_docs.py")),
)


def main() -> int:
    try:
        base = sys.argv[1] if len(sys.argv) > 1 else _known_base()
        changed = changed_files(base)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"git cannot list the changed files: {error.stderr.strip()}\n")
        return 1
    sys.stdout.writelines(f"{path}\n" for path in touched_tests(ROOT, changed))
    return 0


def changed_files(base: str) -> list[str]:
    """Return the files that differ from the merge base with `base`, including new ones."""
    begin = _git("merge-base", base, "HEAD")[0]
    return sorted({*_git("diff", "--name-only", begin), *_git("ls-files", "--others", "--exclude-standard")})


def _known_base() -> str:
    names = set(_git("for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/remotes"))
    return next((base for base in BASES if base in names), "HEAD")


def _git(*arguments: str) -> list[str]:
    answer = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return answer.stdout.splitlines()


def touched_tests(root: Path, changed: Iterable[str]) -> list[str]:
    """Return test files and folders below `root`, without duplicates and without files in a listed folder."""
    found = {test for path in changed for test in _tests_of(root, path) if (root / test).exists()}
    return sorted(test for test in found if not any(str(parent) in found for parent in Path(test).parents))


def _tests_of(root: Path, path: str) -> Iterable[str]:
    parts = Path(path).parts
    if parts[0] == "tests":
        return () if parts[1] in SLOW else _tests_beside(root, path)
    for beginning, tests in LOOKED_AT:
        if path.startswith(beginning):
            return tests
    if path.endswith(".md"):
        return ("tests/test_docs.py",)
    if parts[0] == "scripts":
        return (f"tests/test_{Path(path).stem}.py",)
    return _tests_of_product(root, path)


def _tests_beside(root: Path, path: str) -> Iterable[str]:
    """Return a test file itself; for a shared helper, the tests in its folder that import it, or the whole folder."""
    name, folder = Path(path).name, str(Path(path).parent)
    if name.startswith("test_"):
        return (path,)
    importing = _importing(root, folder, ".".join(Path(path).with_suffix("").parts))
    return importing or ((folder,) if folder != "tests" else ())


def _tests_of_product(root: Path, path: str) -> Iterable[str]:
    parts = Path(path).with_suffix("").parts
    if parts[0] not in {"supportbot", "kb", "actions"} or "migrations" in parts:
        return ()
    package = parts[1] if parts[0] == "supportbot" else parts[0]
    if parts[0] == "supportbot" and len(parts) == 2:  # a module outside the packages
        return (f"tests/test_{package}.py",)
    importing = _importing(root, f"tests/{package}", ".".join(parts)) if path.endswith(".py") else []
    return importing or (f"tests/{package}",)


def _importing(root: Path, folder: str, module: str) -> list[str]:
    tests = (test.relative_to(root) for test in (root / folder).glob("**/test_*.py") if module in imports(test))
    return [str(test) for test in tests if test.parts[1] not in SLOW]


def imports(test: Path) -> set[str]:
    """Return the dotted names that a file imports: modules, and the names imported from them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(test.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


if __name__ == "__main__":
    sys.exit(main())
