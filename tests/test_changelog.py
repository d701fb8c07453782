"""CHANGELOG.md's promises for upgrades."""

import re
import tomllib

from django.apps import apps
from django.conf import settings
from django.db.migrations.loader import MigrationLoader

import supportbot
from supportbot.commands import OWN_PACKAGES
from supportbot.embedded.data_dir import FORMAT


def state_of_the_newest_version() -> str:
    text = (settings.BASE_DIR / "CHANGELOG.md").read_text(encoding="utf-8")
    return text.partition("these last migrations:")[2].partition(".\n")[0]


def test_the_listed_last_migrations_are_the_ones_on_disk() -> None:
    told = dict(re.findall(r"(\w+) (\d{4})", state_of_the_newest_version()))
    ours = {app.label for app in apps.get_app_configs() if app.name.partition(".")[0] in OWN_PACKAGES}
    on_disk: dict[str, str] = {}
    for app, name in sorted(MigrationLoader(None, ignore_no_migrations=True).disk_migrations):
        if app in ours:
            on_disk[app] = name[:4]
    assert told == on_disk


def test_the_format_of_the_data_directory_is_the_documented_one() -> None:
    text = (settings.BASE_DIR / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"data directory format {FORMAT}," in text


def test_an_unreleased_version_has_no_released_number() -> None:
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == supportbot.__version__
    text = (settings.BASE_DIR / "CHANGELOG.md").read_text(encoding="utf-8")
    newest, *released = re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)
    assert newest == "Unreleased" or newest == supportbot.__version__
    assert newest != "Unreleased" or supportbot.__version__ not in released
