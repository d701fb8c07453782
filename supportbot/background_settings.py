"""Settings for background work: the queues of Celery tasks, beat's schedule, and the consumers of announcements."""

from typing import Any, Final

from celery.schedules import crontab

TASK_ROUTES: Final = {
    "kb.tasks.*": {"queue": "ingestion"},
    "kb.sources.tasks.*": {"queue": "ingestion"},
    "actions.tasks.*": {"queue": "actions"},
    "supportbot.handoff.tasks.send_mail": {"queue": "mail"},
    "supportbot.webhooks.tasks.*": {"queue": "webhooks"},
    "supportbot.releases.tasks.judge_waiting": {"queue": "ingestion"},  # takes minutes
    "supportbot.evals.tasks.*": {"queue": "evaluations"},
}
BEAT_SCHEDULE: Final[dict[str, dict[str, Any]]] = {
    "worker-heartbeat": {"task": "supportbot.outbox.tasks.heartbeat", "schedule": 10.0, "options": {"expires": 10}},
    "purge-delivered-announcements": {"task": "supportbot.outbox.tasks.purge", "schedule": 3600.0},
    # A tick that reaches no worker in time is dropped, because the next one sees the same rows.
    "sweep-tickets": {
        "task": "supportbot.handoff.tasks.sweep_tickets",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "read-sources": {"task": "kb.sources.tasks.serve_due", "schedule": 2.0, "options": {"expires": 2}},
    "carry-out-plans": {
        "task": "supportbot.console.tasks.carry_out_plans",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "switch-index": {"task": "kb.tasks.switch_index", "schedule": 5.0, "options": {"expires": 5}},
    "sweep-index": {"task": "kb.tasks.sweep", "schedule": 60.0, "options": {"expires": 60}},
    "purge-socket-tickets": {"task": "supportbot.widget.tasks.purge", "schedule": 3600.0},
    "purge-sessions": {"task": "supportbot.accounts.tasks.purge_sessions", "schedule": crontab(hour=4, minute=20)},
    "purge-confirmation-links": {"task": "supportbot.mcp.tasks.purge", "schedule": 3600.0},
    "sweep-erased": {"task": "supportbot.chat.tasks.sweep_erased", "schedule": 3600.0},
    "roll-up": {"task": "supportbot.insights.tasks.roll_up", "schedule": 3600.0, "options": {"expires": 3600}},
    "roll-up-today": {
        "task": "supportbot.insights.tasks.roll_up_today",
        "schedule": 180.0,
        "options": {"expires": 180},
    },
    # Each run ends within an hour and continues where the previous one ended.
    "retain": {"task": "supportbot.chat.tasks.retain", "schedule": crontab(hour="1-6", minute=40)},
    "purge-model-bodies": {"task": "supportbot.llm.tasks.purge_bodies", "schedule": 3600.0},
    "repair-index": {"task": "kb.tasks.repair", "schedule": crontab(hour=3, minute=20)},
    "forget-reads": {"task": "kb.tasks.forget_reads", "schedule": crontab(hour=3, minute=55)},
    "purge-pictures": {"task": "kb.tasks.purge_pictures", "schedule": crontab(hour=3, minute=50)},
    "sweep-actions": {"task": "actions.tasks.sweep", "schedule": 2.0, "options": {"expires": 2}},
    "judge-actions": {"task": "actions.tasks.judge_waiting", "schedule": 2.0, "options": {"expires": 2}},
    "expire-actions": {"task": "actions.tasks.expire_waiting", "schedule": 10.0, "options": {"expires": 10}},
    "checkpoint-audit-chain": {"task": "actions.tasks.checkpoint_audit_chain", "schedule": 3600.0},
    "check-tools": {"task": "actions.tasks.check_tools", "schedule": 3600.0},
    "forget-old-secrets": {"task": "actions.tasks.forget_old_secrets", "schedule": 3600.0},
    "send-mail": {"task": "supportbot.handoff.tasks.send_mail", "schedule": 10.0, "options": {"expires": 10}},
    "send-webhooks": {"task": "supportbot.webhooks.tasks.send_due", "schedule": 2.0, "options": {"expires": 2}},
    "notify-of-webhooks": {
        "task": "supportbot.webhooks.tasks.notify_admins",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "judge-releases": {"task": "supportbot.releases.tasks.judge_waiting", "schedule": 5.0, "options": {"expires": 5}},
    "start-evaluations": {
        "task": "supportbot.evals.tasks.start_due",
        "schedule": 3.0,
        "options": {"expires": 3},
    },
    "prepare-questions": {
        "task": "supportbot.evals.tasks.prepare_questions",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "purge-evaluations": {"task": "supportbot.evals.tasks.purge", "schedule": crontab(hour=4, minute=10)},
    "purge-webhooks": {"task": "supportbot.webhooks.tasks.purge", "schedule": 3600.0},
}
# The consumers of each topic are idempotent (docs/architecture.md).
OUTBOX_CONSUMERS: Final[dict[str, list[str]]] = {
    "article_changed": [
        "kb.tasks.on_article_changed",
        "supportbot.evals.outbox_consumers.on_article_changed",
        "supportbot.webhooks.outbox_consumers.on_article_changed",
    ],
    "action_changed": [
        "supportbot.assistant.outbox_consumers.on_action_changed",
        "supportbot.webhooks.outbox_consumers.on_action_changed",
    ],
    "agent_replied": [
        "supportbot.handoff.mail.delivery.on_agent_replied",
        "supportbot.handoff.desk.offered_drafts.on_agent_replied",
    ],
    "conversation_changed": ["supportbot.webhooks.outbox_consumers.on_conversations_changed"],
    "conversation_erased": [
        "supportbot.chat.erasure.on_conversations_erased",
        "actions.erasure.on_conversations_erased",
        "supportbot.evals.outbox_consumers.on_conversations_erased",
        "supportbot.webhooks.outbox_consumers.on_conversations_erased",
    ],
    "customer_forgotten": [
        "actions.erasure.on_customer_forgotten",
        "supportbot.evals.outbox_consumers.on_customer_forgotten",
        "supportbot.webhooks.outbox_consumers.on_customer_forgotten",
    ],
    "release_restored": ["supportbot.evals.outbox_consumers.on_release_restored"],
    "ticket_changed": ["supportbot.webhooks.outbox_consumers.on_ticket_changed"],
}
