"""The upgrades of docs/deploy.md, with the commands that it names."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests.deploy.test_files import COMMANDS, COMPOSE, DEPLOY
from tests.patience import PATIENCE_SECONDS

GUIDE = (settings.BASE_DIR / "docs" / "deploy.md").read_text()
# A version for the test: it waits after its start, then names what it reads from its own folder, from its packages and
# in a process that it starts.
PROGRAM = """
import subprocess, sys
from pathlib import Path
print(*sys.argv[1:], flush=True)
if sys.argv[1] == "serve":
    sys.stdin.readline()
import package
child = subprocess.run([sys.executable, "-c", "import package; print(package.VERSION)"], capture_output=True, text=True)
print(Path(__file__).with_name("VERSION").read_text().strip(), package.VERSION, child.stdout.strip())
"""
# In place of pip, a package with the version of its folder.
ENVIRONMENT = f"""
set -eu
site=.venv/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages
mkdir -p .venv/bin $site
ln -s {os.path.realpath(sys.executable)} .venv/bin/python
echo "home = {Path(os.path.realpath(sys.executable)).parent}" >.venv/pyvenv.cfg
echo "VERSION = '$(cat VERSION)'" >$site/package.py
"""
# These record their calls; the second one runs what it is given in the folder that it is given.
SYSTEMCTL = """#!/bin/sh
echo "systemctl $*" >>"$CALLS"
"""
SYSTEMD_RUN = """#!/bin/sh
while :; do
    case $1 in
        WorkingDirectory=*) cd "${1#*=}"; shift ;;
        -*|*=*) shift ;;
        *) break ;;
    esac
done
echo "migrating with $("$@" | tail -n 1)" >>"$CALLS"
"""


def block_after(words: str) -> list[str]:
    """Return the commands of the first block after these words, without comments."""
    return blocks_in(GUIDE.partition(words)[2])[0]


def blocks_in(text: str) -> list[list[str]]:
    """Return the commands of each block, without comments."""
    found = [block.replace("\\\n", " ").splitlines() for block in re.findall(r"\n\n((?:    .*\n)+)", text)]
    return [[re.sub(r"\s{2,}#.*$", "", line).strip() for line in lines] for lines in found]


def test_the_upgrade_of_compose_builds_the_image_that_migrates_and_runs() -> None:
    """Neither `run` nor `up` builds an image that exists."""
    checkout, *steps = block_after("\n**Compose**")
    assert checkout == "git fetch --tags && git checkout <version>"
    assert [step.removeprefix("docker compose -f deploy/compose.yaml ") for step in steps] == [
        "build", "run --rm migrate", "up --detach",
    ]  # fmt: skip
    built = {one["image"] for one in COMPOSE["services"].values() if "build" in one}
    assert built == {COMPOSE["services"][name]["image"] for name in ("migrate", *COMMANDS)}


class Machine:
    """The folders /opt and /etc of a machine, and what its administrator types."""

    def __init__(self, folder: Path) -> None:
        self.opt, self.etc, self._programs = folder / "opt", folder / "etc", folder / "programs"
        (self.etc / "systemd" / "system").mkdir(parents=True)
        for made in (self.opt, self._programs):
            made.mkdir()
        for name, text in (("systemctl", SYSTEMCTL), ("systemd-run", SYSTEMD_RUN), ("useradd", "#!/bin/sh\n")):
            (self._programs / name).write_text(text)
            (self._programs / name).chmod(0o755)
        (self._programs / "install").symlink_to("useradd")
        self._repository, self._calls = folder / "repository", folder / "calls"

    def release(self, version: str) -> None:
        """Add a version to the repository."""
        files = {"VERSION": version, "manage.py": PROGRAM, "scripts/environment.sh": ENVIRONMENT}
        files |= {f"deploy/systemd/{file.name}": file.read_text() for file in (DEPLOY / "systemd").iterdir()}
        for name, text in files.items():
            (self._repository / name).parent.mkdir(parents=True, exist_ok=True)
            (self._repository / name).write_text(text)
        author = "-c user.name=test -c user.email=test@example.com -c commit.gpgsign=false"
        for line in ("init -q", "add -A", f"{author} commit -q -m {version}", f"tag v{version}"):
            subprocess.run(["git", *line.split()], cwd=self._repository, check=True, timeout=PATIENCE_SECONDS)

    def run(self, commands: list[str], version: str) -> None:
        script = "\n".join(["set -eu", *commands])
        for name, place in (("/opt/", f"{self.opt}/"), ("/etc/", f"{self.etc}/"), ("<version>", version)):
            script = script.replace(name, place)
        script = script.replace("<this repository>", str(self._repository))
        given = {"PATH": f"{self._programs}:{os.environ['PATH']}", "CALLS": str(self._calls)}
        done = subprocess.run(
            ["sh", "-c", script], env=given, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr

    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines()

    def start(self) -> "subprocess.Popen[str]":
        """Start the web unit as systemd does; return once it runs."""
        text = (self.etc / "systemd" / "system" / "supportbot-web.service").read_text().replace("/opt/", f"{self.opt}/")
        unit = dict(re.findall(r"^(ExecStart|WorkingDirectory)=(.*)$", text, re.MULTILINE))
        process = subprocess.Popen(
            [word.replace("$$", "$") for word in shlex.split(unit["ExecStart"])], cwd=unit["WorkingDirectory"],
            env={"PATH": os.defpath}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None and process.stdout.readline() == "serve\n"
        return process


def read_by(process: "subprocess.Popen[str]") -> list[str]:
    """Let the process go on; return the versions of what it reads."""
    return process.communicate("go on\n", timeout=PATIENCE_SECONDS)[0].split()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_no_process_under_systemd_reads_files_of_another_version(machine: Machine) -> None:
    machine.release("0.2")
    machine.run(block_after("\n## systemd"), "v0.2")
    old = machine.start()
    machine.release("0.3")
    machine.run(block_after("\n**systemd**"), "v0.3")
    new = machine.start()
    assert read_by(old) == ["0.2"] * 3
    assert read_by(new) == ["0.3"] * 3
    assert machine.calls()[2:] == [
        "migrating with 0.3 0.3 0.3",
        "systemctl daemon-reload",
        "systemctl restart supportbot-worker supportbot-beat supportbot-web",
    ]
