"""What a process loads before its first work: `make run` starts half a dozen, each command of an operator is one."""

import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings

WITHOUT_PAGES = """
import sys, django
django.setup()
from django.contrib import admin
from supportbot.embedded.management.commands import up
heavy = {"supportbot.console.admin", "supportbot.urls", "supportbot.builtin.answerer", "rest_framework.test"}
assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
assert admin.site.check(None) == []
assert len(admin.site._registry) > 5, "the checks looked at no list of the console"
"""


def test_a_command_loads_no_pages_and_a_check_looks_at_all_of_them() -> None:
    command = [sys.executable, "-c", WITHOUT_PAGES]
    answer = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stderr


def test_no_web_process_signs_with_a_secret_of_its_own(tmp_path: Path) -> None:
    alone = {**os.environ, "SECRET_KEY": "", "DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-c", "import supportbot.asgi"]
    answer = subprocess.run(
        command, cwd=settings.BASE_DIR, env=alone, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 1
    assert "SECRET_KEY is not set" in answer.stderr.splitlines()[-1]


def test_a_command_says_in_a_sentence_that_the_database_is_away(unused_port: int) -> None:
    address = f"postgres://someone:hidden@127.0.0.1:{unused_port}/name"
    command = [sys.executable, "manage.py", "channel_create", "Shop"]
    answer = subprocess.run(
        command,
        cwd=settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": address},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (answer.returncode, len(answer.stderr.splitlines())) == (1, 1)
    assert "The database failed: connection" in answer.stderr and "hidden" not in answer.stderr
