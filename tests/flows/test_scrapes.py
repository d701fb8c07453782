"""Prometheus scrapes a process while it shuts down: it gets everything or nothing, and no error is logged."""

import threading
from http.client import HTTPConnection, HTTPException

import pytest
from prometheus_client.parser import text_string_to_metric_families

from supportbot.embedded.child_processes import wait_until
from supportbot.embedded.product_processes import manage
from tests.flows.stack import Stack
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port

pytestmark = pytest.mark.long


class Scraper(threading.Thread):
    """A client that scrapes without pauses until it is stopped, over one connection as long as that lasts."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self.ending = threading.Event()
        self.answers: list[tuple[int, str]] = []

    def run(self) -> None:
        while not self.ending.is_set():
            line = HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_SECONDS)
            try:
                while not self.ending.is_set():
                    line.request("GET", "/metrics")
                    answer = line.getresponse()
                    self.answers.append((answer.status, answer.read().decode()))
            except (OSError, HTTPException):  # the process has not started yet, or has ended
                self.ending.wait(0.05)
            finally:
                line.close()


@pytest.mark.parametrize(
    ("name", "variable", "settings"),
    [
        ("web", "PORT", {}),
        ("web", "PORT", {"WEB_PROCESSES": "2"}),  # they share the files of their counters
        ("worker", "WORKER_PROBE_PORT", {}),
        ("beat", "BEAT_PROBE_PORT", {}),
    ],
)
def test_a_scrape_during_a_shutdown_is_complete_or_refused(
    stack: Stack, name: str, variable: str, settings: dict[str, str]
) -> None:
    own = {} if name == "web" else {variable: str(reserved_port())}
    child = stack.child(name, **own, **settings)
    if settings:
        child.command = manage("serve")  # as it is deployed, with a process that starts the others
    scraper = Scraper(int(child.environment[variable]))
    child.start()
    process = child.process
    try:
        scraper.start()
        assert wait_until(lambda: len(scraper.answers) > 3, seconds=PATIENCE_SECONDS)
    finally:
        child.stop()
        scraper.ending.set()
    scraper.join(timeout=PATIENCE_SECONDS)
    assert process is not None and process.returncode in (0, -15)  # the web server lets the signal end it
    for status, text in scraper.answers:
        names = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
        assert (status, "supportbot_build_info" in names, text[-1]) == (200, True, "\n")
    assert child.log is not None
    log = child.log.read_text(errors="replace")
    assert "Traceback" not in log and " ERROR " not in log, log[-2000:]
