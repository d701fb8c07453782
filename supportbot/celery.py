"""The Celery application. Tasks are thin wrappers around services, and each kind of work has a queue."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery, bootsteps
from celery.beat import Service
from celery.signals import beat_init, task_postrun, task_prerun, worker_init, worker_ready, worker_shutdown

from supportbot.beat_scheduler import TickingScheduler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "supportbot.settings")

TICK_SECONDS = 5.0
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

app = Celery("supportbot")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


class Ticks(bootsteps.StartStopStep):
    """Ticks from the loop that receives tasks.

    It is a Celery step because losing the broker clears all timers but restarts steps.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer: Any) -> None:
        from supportbot.health.main_loop import tick

        tick()
        consumer.timer.call_repeatedly(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        from supportbot.health.main_loop import tick
        from supportbot.observing.broker_outages import broker_trouble

        tick()
        broker_trouble.has_responded()  # this loop runs only while the worker is connected


app.steps["consumer"].add(Ticks)


@task_prerun.connect
def begin_task(task_id: str, task: Any, **_: Any) -> None:
    """Add the task's id to every log line of its thread."""
    from supportbot.observing.logs import concern

    concern(task=task_id, name=task.name)


@task_postrun.connect
def end_task(task: Any, state: str | None = None, **_: Any) -> None:
    from supportbot.observing.logs import concern
    from supportbot.observing.metrics import TASKS

    concern()
    TASKS.labels(task.name, str(state or "unknown").lower()).inc()


@worker_init.connect
def note_build(**_: Any) -> None:
    """Read the build's fingerprint now, because an update may replace the files later."""
    from supportbot.evals.build_fingerprint import build  # needs the apps, which load later

    build()


@worker_init.connect
def answer_probes_of_worker(**_: Any) -> None:
    from supportbot.health.checks import wait_for_migrations  # needs the apps, which load later
    from supportbot.health.server import start_probes
    from supportbot.observing import tracing

    tracing.start("worker")
    start_probes("worker")
    with stopping_at_a_signal():
        wait_for_migrations()


@contextmanager
def stopping_at_a_signal() -> Iterator[None]:
    """Within this block, stop at a signal even though Celery has not set its handlers yet. Without handlers, the first
    process in a container ignores SIGTERM.
    """

    def stop(number: int, frame: Any) -> None:
        raise SystemExit

    former = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@beat_init.connect
def answer_probes_of_beat(**_: Any) -> None:
    from supportbot.health.server import start_probes

    start_probes("beat")


@beat_init.connect
def stop_beat_in_order(sender: Service, **_: Any) -> None:
    """Save the schedule only after the loop has ended.

    Celery's own handler saves and closes it inside the code that the signal interrupts. If an `except` there swallows
    the handler's SystemExit, the next tick fails on the closed file.
    """

    def stop(number: int, frame: Any) -> None:
        for other in STOP_SIGNALS:
            signal.signal(other, signal.SIG_IGN)  # it is stopping already
        sender.stop()  # in case the exception is swallowed
        is_writing = isinstance(sender.scheduler, TickingScheduler) and sender.scheduler.is_writing
        if not is_writing:
            raise SystemExit

    for number in STOP_SIGNALS:
        signal.signal(number, stop)


@worker_ready.connect
def start_beside_worker(**_: Any) -> None:
    """Run the outbox relay in this process too, and send the first heartbeat at once."""
    from supportbot.outbox.relay_thread import relay  # needs the apps, which load later
    from supportbot.outbox.tasks import heartbeat

    relay.start()
    heartbeat()


@worker_shutdown.connect
def stop_beside_worker(**_: Any) -> None:
    from supportbot.outbox.relay_thread import relay

    relay.stop()
