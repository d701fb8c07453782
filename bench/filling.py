"""Fill a workspace with months of data, at a million rows a minute, because the database itself generates the rows.

The rows look like those of the services, so every page can read them; vectors are random. The database role must be a
superuser, since triggers and foreign keys are suspended. Indexes are built after the rows.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

EVENTS: Final = 10  # per conversation; six of them are messages
CHUNKS: Final = 10  # per article
_TABLES: Final = (
    "accounts_customer",
    "chat_conversation",
    "chat_message",
    "chat_conversationevent",
    "chat_turn",
    "llm_llmcall",
    "handoff_ticket",
    "widget_rating",
    "kb_chunk",
)

_FUNCTIONS: Final = r"""
CREATE FUNCTION pg_temp.made_id(kind text, number bigint, at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(kind || number), 1, 3)
    || '8' || substr(md5(kind || number), 4, 15))::uuid $$;
CREATE FUNCTION pg_temp.words(count int, seed bigint) RETURNS text LANGUAGE sql VOLATILE AS $$
  SELECT string_agg(CASE WHEN place < 0.6 THEN (ARRAY['the', 'my', 'is', 'a', 'to', 'and', 'you', 'it', 'of', 'for',
      'order', 'parcel', 'when', 'how', 'we', 'not', 'can', 'have', 'that', 'this', 'shipping', 'days', 'was', 'please',
      'from', 'but', 'on', 'with', 'your', 'are', 'if', 'no', 'what', 'do', 'still', 'thanks', 'will', 'hello', 'been',
      'tent'])[1 + floor(place * 66.6)::int]
    ELSE substr(translate(md5(floor(place * 10000)::text), '0123456789', 'ghijklmnop'), 1,
      4 + floor(place * 1000)::int %% 6) END, ' ')
  FROM (SELECT random() + 0 * seed AS place FROM generate_series(1, count)) dice $$;
CREATE FUNCTION pg_temp.vector(dimensions int, seed bigint) RETURNS halfvec LANGUAGE sql VOLATILE AS $$
  SELECT array_agg(random() - 0.5 + 0 * seed)::halfvec FROM generate_series(1, dimensions) $$;
CREATE TEMP TABLE phrase AS SELECT n, pg_temp.words(14, n) AS text FROM generate_series(0, 19999) n;
CREATE TEMP TABLE passage AS SELECT n, text, to_tsvector('english', text) AS vector
  FROM (SELECT n, pg_temp.words(80, n) AS text FROM generate_series(0, 1999) n OFFSET 0) made;
CREATE TEMP TABLE made AS
  SELECT n, %(workspace)s::uuid AS workspace, at,
    pg_temp.made_id('customer', n %% %(customers)s, %(since)s) AS customer,
    pg_temp.made_id('conversation', n, at) AS id,
    n %% %(ticket_every)s = 0 AS has_ticket
  FROM (SELECT n, %(since)s::timestamptz + (n * 90.0 / %(conversations)s) * interval '1 day' AS at
    FROM generate_series(1, %(conversations)s) n) spread;
"""

_ROWS: Final = (
    """
INSERT INTO accounts_customer (id, workspace_id, external_id, name, email, locale, created_at)
  SELECT pg_temp.made_id('customer', number, %(since)s), %(workspace)s, 'cus_' || number,
    initcap(split_part(text, ' ', 13) || ' ' || split_part(text, ' ', 14)),
    'someone' || number || '@example.com', 'en', %(since)s
  FROM generate_series(0, %(customers)s - 1) number JOIN phrase ON phrase.n = number %% 20000""",
    """
INSERT INTO chat_conversation (id, workspace_id, customer_id, locale, mode, last_seq, last_public_seq, answered_seq,
    episode_start_seq, handoff_note, created_at, last_event_at)
  SELECT id, workspace, customer, 'en', 'assistant', 10, 10, 9, 0, '', at, at + interval '9 minutes' FROM made""",
    """
INSERT INTO chat_message (id, workspace_id, conversation_id, seq, source, author_name, text, audience, by,
    is_abstention, is_held_back, created_at)
  SELECT pg_temp.made_id('message' || seq, made.n, at), workspace, id, seq,
    CASE WHEN seq %% 3 = 1 THEN 'customer' ELSE 'assistant' END, '',
    phrase.text || CASE WHEN seq = 1 AND made.n %% 20 = 3 THEN ' refund' ELSE '' END
      || CASE WHEN seq = 4 AND made.n %% 8 = 5 THEN ' A-' || 10000 + made.n ELSE '' END,
    'everyone', CASE WHEN seq %% 3 = 1 THEN '' ELSE 'model' END, seq = 9 AND made.n %% 25 = 4, false,
    at + seq * interval '1 minute'
  FROM made CROSS JOIN unnest(ARRAY[1, 3, 4, 6, 7, 9]) seq
    JOIN phrase ON phrase.n = (made.n * 7 + seq * 1013) %% 20000""",
    """
INSERT INTO chat_conversationevent (id, workspace_id, conversation_id, seq, prev_seq, event, payload, audience,
    created_at)
  SELECT pg_temp.made_id('event' || place, n, at), made.workspace, made.id, place, place - 1,
    CASE WHEN place = 10 THEN CASE WHEN has_ticket THEN 'handoff.joined' ELSE 'customer.read' END
      WHEN place %% 3 = 1 THEN 'message' WHEN place %% 3 = 2 THEN 'assistant.started' ELSE 'assistant.final' END,
    CASE WHEN place = 10 THEN jsonb_build_object('ticket', pg_temp.made_id('ticket', n, at))
      WHEN place %% 3 = 1 THEN jsonb_build_object('text', message.text, 'source', message.source, 'message', message.id)
      WHEN place %% 3 = 2 THEN jsonb_build_object('attempt', 1)
      ELSE jsonb_build_object('text', message.text, 'message', message.id, 'citations', '[]'::jsonb) END,
    'everyone', made.at + place * interval '1 minute'
  FROM made CROSS JOIN generate_series(1, 10) place
    LEFT JOIN chat_message message ON message.conversation_id = made.id AND message.seq = place""",
    """
INSERT INTO chat_turn (id, workspace_id, conversation_id, kind, state, attempt, losses, runner, stop_requested,
    message_id, from_seq, through_seq, partial_text, partial_index, failure_code, created_at, started_at, finished_at)
  SELECT pg_temp.made_id('turn' || seq, n, at), workspace, id, 'reply',
    CASE WHEN seq = 7 AND n %% 50 = 6 THEN 'failed' ELSE 'done' END, 1, 0, 'bench', false,
    pg_temp.made_id('message' || seq + 2, n, at), seq - 1, seq, '', 0, '', at + seq * interval '1 minute',
    at + seq * interval '1 minute', at + seq * interval '1 minute 3 seconds'
  FROM made, unnest(ARRAY[1, 4, 7]) seq""",
    """
INSERT INTO llm_llmcall (id, workspace_id, purpose, provider, model, prompt_version, conversation_id, turn_id,
    input_tokens, output_tokens, cached_tokens, is_estimated, cost, currency, time_to_first_token_ms, duration_ms,
    outcome, reason, started_at)
  SELECT pg_temp.made_id('call' || seq, n, at), workspace, 'answer', 'openai', 'bench', '7', id,
    pg_temp.made_id('turn' || seq, n, at), 900, 80, 0, false, 0.0012, 'EUR', 300 + n %% 900, 2500, 'done', '',
    at + seq * interval '1 minute' FROM made, unnest(ARRAY[1, 4, 7]) seq""",
    """
INSERT INTO handoff_ticket (id, workspace_id, conversation_id, state, reason, summary, priority, language, requested_by,
    contact_email, created_at, waiting_since, claimed_at, ended_at)
  SELECT pg_temp.made_id('ticket', made.n, at), workspace, id,
    CASE WHEN made.n %% 40 = 0 THEN 'expired' ELSE 'resolved' END,
    'customer_asked', initcap(phrase.text), made.n %% 3, 'en', 'customer', '', at + interval '7 minutes',
    at + interval '7 minutes', CASE WHEN made.n %% 40 = 0 THEN NULL ELSE at + interval '10 minutes' END,
    at + interval '1 hour' FROM made JOIN phrase ON phrase.n = made.n %% 20000 WHERE has_ticket""",
    """
INSERT INTO widget_rating (id, workspace_id, conversation_id, score, comment, created_at)
  SELECT pg_temp.made_id('rating', n, at), workspace, id, 1 + n %% 5, '', at + interval '10 minutes' FROM made
  WHERE n %% 20 = 7""",
    """
INSERT INTO kb_chunk (id, workspace_id, article_id, recipe_id, revision_number, position, heading_path, text, start,
    "end", content_hash, embedding, search_vector)
  SELECT pg_temp.made_id('chunk' || article.external_id, place, %(since)s), %(workspace)s, article.id, %(recipe)s, 1,
    place, '', passage.text, 0, 1, 'bench', pg_temp.vector(%(dimensions)s, place), passage.vector
  FROM (SELECT *, row_number() OVER () AS number FROM kb_article WHERE workspace_id = %(workspace)s) article
    CROSS JOIN generate_series(1, %(chunks)s) place
    JOIN passage ON passage.n = (article.number * 10 + place) %% 2000""",
)


@dataclass(frozen=True)
class Size:
    conversations: int
    passages: int
    ticket_every: int = 10  # with 1, every conversation has had a ticket


def fill(workspace_id: UUID, size: Size, recipe: Any) -> float:
    """Fill an empty workspace; return the seconds it took."""
    from django.db import connection, transaction
    from django.utils.timezone import now, timedelta  # type: ignore[attr-defined]  # re-exported

    began = time.perf_counter()
    _write_articles(size.passages // CHUNKS)
    facts = {
        "workspace": workspace_id,
        "since": now() - timedelta(days=90),
        "conversations": size.conversations,
        "ticket_every": size.ticket_every,
        "customers": max(1, size.conversations * 4 // 5),
        "recipe": recipe.pk,
        "dimensions": recipe.dimensions,
        "chunks": CHUNKS,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SET LOCAL statement_timeout = 0")  # building an index may take minutes
        cursor.execute("SET LOCAL maintenance_work_mem = '1GB'")
        cursor.execute("SET LOCAL max_parallel_maintenance_workers = 2")
        with _indexes_later(cursor):
            cursor.execute(_FUNCTIONS, facts)
            cursor.execute("ANALYZE made")
            for statement in _ROWS:
                cursor.execute(statement, facts)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return time.perf_counter() - began


def _write_articles(count: int) -> None:
    """Write live articles without passages, since publishing them one by one takes an hour."""
    from django.db.models import F

    from kb.collections import collection_named, default_name
    from kb.indexing.models import Chunk
    from kb.models import Article
    from kb.revisions import write_revisions
    from kb.validation import check_article_text

    collection = collection_named(default_name())
    made = Article.objects.bulk_create(
        [Article(collection=collection, external_id=f"bench-{n}", locale="en") for n in range(count)], batch_size=2_000
    )
    write_revisions([(one, check_article_text(f"Article {n}", f"This is article {n}.")) for n, one in enumerate(made)])
    Article.objects.update(
        state="live", live_revision=F("latest_revision"), indexed_revision=1, published_revisions=[1]
    )
    assert not Chunk.objects.exists()


@contextmanager
def _indexes_later(cursor: Any) -> Iterator[None]:
    """Drop the filled tables' indexes that enforce no constraint, and rebuild them at the end."""
    cursor.execute(
        "SELECT index.indexrelid::regclass::text, pg_get_indexdef(index.indexrelid) FROM pg_index index "
        "WHERE index.indrelid::regclass::text = ANY(%s) AND NOT EXISTS "
        "(SELECT 1 FROM pg_constraint WHERE conindid = index.indexrelid)",
        [list(_TABLES)],
    )
    found = cursor.fetchall()
    for name, _ in found:
        cursor.execute(f"DROP INDEX {name}")
    yield
    for _, definition in found:
        cursor.execute(definition)
