"""The Celery application. Tasks are thin wrappers around services; queues are by kind of work."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_ready, worker_shutdown

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "supportbot.settings")

app = Celery("supportbot")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_ready.connect
def start_beside_worker(**_: Any) -> None:
    """Run the outbox relay in this process too, and send the first heartbeat at once."""
    from supportbot.outbox.relay import relay  # needs the apps, which load later
    from supportbot.outbox.tasks import heartbeat

    relay.start()
    heartbeat()


@worker_shutdown.connect
def stop_beside_worker(**_: Any) -> None:
    from supportbot.outbox.relay import relay

    relay.stop()
