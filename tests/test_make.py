"""The targets of the Makefile: each is listed, and the checks of `make lint` also run before a commit."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from django.conf import settings

from tests.promises import give_up

ROOT = Path(settings.BASE_DIR)
MAKEFILE = (ROOT / "Makefile").read_text()
# Parts of other targets, not meant to be called directly.
INNER = {"touched-tests", "long-database-tests", "long-browser-tests"}


def made(*arguments: str) -> str:
    """Return the output of make, without the lines that it adds when another make runs these tests."""
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_help_lists_every_target_on_a_line() -> None:
    listed = made("help")
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"^  make ([a-z-]+) +\S", listed, re.MULTILINE)) == targets - INNER
    assert listed.startswith("  make help ")


@pytest.mark.parametrize(("given", "flags"), [((), ""), (("DEMO=no",), " --no-demo")])
def test_an_installation_starts_without_the_demo_on_request(given: tuple[str, ...], flags: str) -> None:
    shown = made("-n", "run", *given)
    assert shown.splitlines()[-1].rstrip() == f"exec .venv/bin/python manage.py up{flags}"


def test_a_commit_is_checked_by_the_linters_of_make_lint() -> None:
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert recipe is not None
    commands = {line.strip("\t@") for line in recipe[1].splitlines() if "environment.sh" not in line}
    [own] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = {re.sub(r" --\S+", "", hook["entry"]) for hook in own["hooks"]}
    # A hook gets the files of the commit, and formats where `make lint` only checks.
    assert {re.sub(r" --check| \.$| templates examples", "", command) for command in commands} == hooks


@pytest.mark.parametrize(
    ("given", "code"), [({}, 0), ({"CI": "true"}, 1), ({"CI": "true", "WITHOUT_TOOLS": "true"}, 0)]
)
def test_ci_fails_without_the_programs_of_its_tests(given: dict[str, str], code: int, tmp_path: Path) -> None:
    """Tested here as a user who may not install them."""
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", str(ROOT / "scripts" / "ci_tools.sh")], env={"PATH": str(tmp_path), **given}, cwd=tmp_path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "buildah" in done.stderr and ("WITHOUT_TOOLS=true" in done.stderr) == bool(code)


@pytest.mark.parametrize(
    ("user", "programs", "reason"),
    [(1000, (), "only root"), (0, (), "buildah is not"), (0, ("buildah", "mmdebstrap"), "no mounts can be made here")],
)
def test_ci_says_why_it_does_not_build_the_image(
    user: int, programs: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    for name in ("id", *programs):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {user}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", str(ROOT / "scripts" / "ci_image.sh")], env={"PATH": str(tmp_path)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1 and reason in done.stderr


def test_a_test_that_this_machine_can_run_is_not_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pytest.skip.Exception):
        give_up("no mounts", promise="WITH_SOMETHING")
    monkeypatch.setenv("WITH_SOMETHING", "true")
    with pytest.raises(pytest.fail.Exception):
        give_up("no mounts", promise="WITH_SOMETHING")
