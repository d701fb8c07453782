"""`scripts/page_scripts.sh` finds scripts of the desk and the console that do not parse."""

import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

FOLDERS = ("supportbot/handoff/static/desk", "supportbot/console/static/console")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in FOLDERS:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "good.js").write_text('import { one } from "./one.js";\nexport const two = one + 1;\n')
    return tmp_path


def check(tree: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [shutil.which("sh") or "", str(settings.BASE_DIR / "scripts" / "page_scripts.sh")]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_a_script_that_does_not_parse_is_named(tree: Path) -> None:
    path = str(Path(shutil.which("node") or "").parent)
    assert check(tree, PATH=path).returncode == 0
    (tree / FOLDERS[1] / "bad.js").write_text('import { one } from "./one.js";\nconst two = ;\n')
    answer = check(tree, PATH=path)
    assert answer.returncode == 1
    assert answer.stderr.endswith(f"{FOLDERS[1]}/bad.js does not parse.\n")


@pytest.mark.parametrize(("environment", "code"), [({}, 0), ({"CI": "true"}, 1)])
def test_without_node_it_says_so_and_fails_only_in_ci(tree: Path, environment: dict[str, str], code: int) -> None:
    answer = check(tree, PATH=str(tree), **environment)
    assert (answer.returncode, answer.stderr[:56]) == (code, "The scripts of the desk and the console were not checked")
