"""`scripts/widget_bundle.sh` with a fake Python and a fake npm that records its calls: packages are installed once."""

import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from tests.patience import PATIENCE_SECONDS

NPM = """#!/bin/sh
echo "$1" >>"$RECORD"
if [ "$1" = ci ]; then sleep 0.5; mkdir -p node_modules; : >node_modules/.package-lock.json; fi
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    frontend = tmp_path / "supportbot" / "widget" / "frontend"
    frontend.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(settings.BASE_DIR / "supportbot" / "widget" / "frontend" / name, frontend)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for program, text in ((tmp_path / "npm", NPM), (tmp_path / ".venv" / "bin" / "python", "#!/bin/sh\n")):
        program.write_text(text)
        program.chmod(0o755)
    return tmp_path


def start(checkout: Path) -> subprocess.Popen[str]:
    environment = {"PATH": f"{checkout}:/usr/bin:/bin", "RECORD": str(checkout / "record")}
    command = ["sh", str(settings.BASE_DIR / "scripts" / "widget_bundle.sh"), "check"]
    return subprocess.Popen(command, cwd=checkout, env=environment, stderr=subprocess.PIPE, text=True)


def test_two_runs_at_once_install_the_packages_once(checkout: Path) -> None:
    runs = [start(checkout), start(checkout)]
    said = "".join(run.communicate(timeout=PATIENCE_SECONDS)[1] for run in runs)
    assert [run.returncode for run in runs] == [0, 0]
    assert sorted((checkout / "record").read_text().split()) == ["ci", "run", "run"]
    assert said == "Waiting for another make that is installing the widget's packages...\n"


def test_a_ci_run_without_npm_stops_at_once_with_a_message(tmp_path: Path) -> None:
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    command = [str(tmp_path / "bash"), str(settings.BASE_DIR / ".ci" / "run")]
    answer = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert answer.stderr.startswith("npm is missing, so the widget's bundle cannot be checked. Install Node.js")
