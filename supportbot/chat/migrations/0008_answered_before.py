"""Fill in `answered_seq` of chats from version 0.1, which had no such column, so that nothing is answered again.

A question is answered by the next answer, except where a turn was still waiting: then everything from its message on is
unanswered. Conversations that began after the column was added already have the right value.
"""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

AT_ONCE = 5_000
FILL = """
WITH chats AS MATERIALIZED (
  SELECT id, created_at, answered_seq FROM chat_conversation WHERE id > %(after)s ORDER BY id LIMIT %(at_once)s
), answers AS (
  SELECT id,
    (SELECT max(seq) FROM chat_message message WHERE message.conversation_id = chats.id
      AND source IN ('assistant', 'agent') AND audience = 'everyone') AS answered,
    (SELECT min(message.seq) FROM chat_message message JOIN chat_turn turn ON turn.conversation_id = chats.id
      WHERE message.conversation_id = chats.id AND message.source = 'customer'
        AND turn.state IN ('pending', 'running') AND message.created_at >= turn.created_at - interval '2 seconds'
        AND message.seq > (SELECT COALESCE(max(seq), 0) FROM chat_message answer WHERE answer.conversation_id = chats.id
          AND answer.source IN ('assistant', 'agent') AND answer.created_at < turn.created_at)
    ) AS waiting
  FROM chats WHERE answered_seq = 0
    AND created_at < (SELECT max(applied) FROM django_migrations WHERE app = 'chat' AND name = '0002_answered')
), filled AS (
  UPDATE chat_conversation SET answered_seq = LEAST(answers.answered, COALESCE(answers.waiting - 1, answers.answered))
  FROM answers WHERE chat_conversation.id = answers.id AND answers.answered IS NOT NULL
    AND chat_conversation.answered_seq = 0
)
SELECT id FROM chats ORDER BY id DESC LIMIT 1
"""


def fill(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Fill in all conversations, a few thousand per transaction; a second run changes nothing."""
    after = "00000000-0000-0000-0000-000000000000"
    with schema_editor.connection.cursor() as cursor:
        while True:
            cursor.execute(FILL, {"after": after, "at_once": AT_ONCE})
            row = cursor.fetchone()
            if row is None:
                return
            after = row[0]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("chat", "0007_message_release")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
