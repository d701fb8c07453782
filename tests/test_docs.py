"""The guides: every link has a target and its heading, and the README's lists are complete."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

from supportbot.commands import OWN_PACKAGES

ROOT = Path(settings.BASE_DIR)
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/*.md")])


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Yield (file, heading) of each of a page's links within the repository; the heading may be empty."""
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if "://" not in target:
            name, _, heading = target.partition("#")
            yield (page.parent / name if name else page), heading


def headings(page: Path) -> set[str]:
    """Return the anchors that code hosts derive from a page's headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_has_a_target(page: Path) -> None:
    for target, heading in links(page):
        assert target.exists(), f"{page.name} links to {target.name}"
        assert not heading or heading in headings(target), f"{page.name} links to #{heading} of {target.name}"


def readmes_table(heading: str) -> str:
    """Return the first cells of the table under a heading of the README."""
    section = (ROOT / "README.md").read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return "\n".join(re.findall(r"^\|((?:[^|\\]|\\.)+)\|", section, re.MULTILINE))


def test_the_readme_lists_exactly_the_commands() -> None:
    ours = {name for name, app in get_commands().items() if app.partition(".")[0] in OWN_PACKAGES}
    assert set(re.findall(r"(?:`|, `)([a-z]+(?:_[a-z]+)*)\b", readmes_table("Management commands"))) == ours


def test_the_readme_lists_exactly_the_settings() -> None:
    read = set(
        re.findall(r'\b(?:env\.\w+|_\w+)\(\s*"([A-Z][A-Z_]+)"', (ROOT / "supportbot" / "settings.py").read_text())
    )
    of_make = {"PYTHON", "CHROMIUM"}
    assert set(re.findall(r"`([A-Z][A-Z_]+)`", readmes_table("Settings"))) == read | of_make


@pytest.mark.parametrize(
    "form", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda page: page.stem
)
def test_every_issue_form_is_valid(form: Path) -> None:
    """GitHub ignores a broken form without a message."""
    content = yaml.safe_load(form.read_text())
    if form.stem == "config":
        return
    names = [field["id"] for field in content["body"] if field["type"] != "markdown"]
    assert content["name"] and content["description"] and names
    assert len(set(names)) == len(names)
    assert all(field["attributes"].get("label") for field in content["body"] if field["type"] != "markdown")
