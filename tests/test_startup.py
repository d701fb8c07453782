"""The modules that a process loads at start-up: `make run` starts half a dozen processes, and every command is one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests.patience import PATIENCE_SECONDS

WITHOUT_PAGES = """
import sys, django
django.setup()
from django.contrib import admin
from supportbot.embedded.management.commands import up
pages = {"supportbot.console.admin", "supportbot.urls", "supportbot.builtin.answerer", "unfold.admin"}
libraries = {"numpy", "requests", "rest_framework.test", "Stemmer"}
heavy = (pages | libraries) & sys.modules.keys()
assert not heavy, heavy
assert admin.site.check(None) == []
assert len(admin.site._registry) > 5, "the checks looked at no list of the console"
"""


@pytest.mark.long
def test_commands_load_no_pages_and_checks_load_all() -> None:
    command = [sys.executable, "-c", WITHOUT_PAGES]
    answer = subprocess.run(
        command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert answer.returncode == 0, answer.stderr


@pytest.mark.long
def test_a_web_process_without_a_secret_does_not_start(tmp_path: Path) -> None:
    alone = {**os.environ, "SECRET_KEY": "", "DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-c", "import supportbot.asgi"]
    answer = subprocess.run(
        command, cwd=settings.BASE_DIR, env=alone, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert answer.returncode == 1
    assert "SECRET_KEY is not set" in answer.stderr.splitlines()[-1]


@pytest.mark.long
def test_a_command_reports_an_unavailable_database_in_one_sentence(unused_port: int) -> None:
    address = f"postgres://someone:hidden@127.0.0.1:{unused_port}/name"
    command = [sys.executable, "manage.py", "channel_create", "Shop"]
    answer = subprocess.run(
        command,
        cwd=settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": address},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (answer.returncode, len(answer.stderr.splitlines())) == (1, 1)
    assert "The database failed: connection" in answer.stderr and "hidden" not in answer.stderr


AFTER_WARM_UP = """
import sys, django
django.setup()
from supportbot.lifespan import warm_up
warm_up()
first_needed = {"supportbot.console.admin", "supportbot.urls", "Stemmer", "py3langid"}
assert not first_needed - sys.modules.keys(), first_needed - sys.modules.keys()
"""


@pytest.mark.long
def test_a_web_process_is_fully_loaded_before_the_first_customer_comes() -> None:
    command = [sys.executable, "-c", AFTER_WARM_UP]
    answer = subprocess.run(
        command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert answer.returncode == 0, answer.stderr
