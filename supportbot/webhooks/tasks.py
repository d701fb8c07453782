"""The Celery tasks for webhooks, in the queue `webhooks`. All of them may run twice, and at the same time.

Only the sweep, `send_due`, starts the others, so its next run picks up work that a lost message or a dead worker left
behind.
"""

from uuid import UUID

from celery import current_app, shared_task

from supportbot.webhooks import sending, services

SERVE = "supportbot.webhooks.tasks.serve"
MESSAGE_LIFE_SECONDS = 30


@shared_task
def send_due() -> None:
    """Start a time slice for each endpoint that has due deliveries."""
    for workspace_id, endpoint_id in sending.endpoints_to_serve():
        current_app.send_task(
            SERVE,
            args=(str(workspace_id), str(endpoint_id)),
            retry=False,
            ignore_result=True,
            expires=MESSAGE_LIFE_SECONDS,
        )


@shared_task(name=SERVE)
def serve(workspace_id: str, endpoint_id: str) -> None:
    sending.serve(UUID(workspace_id), UUID(endpoint_id))


@shared_task
def notify_admins() -> None:
    services.notify_admins()


@shared_task
def purge() -> None:
    services.forget_old_secrets()
    services.purge()
