-- Fills a database of 0.1.0: copies of the chat in its dump, requests, and their entries in the ledger.
CREATE TABLE copied AS SELECT gen_random_uuid() AS id, number FROM generate_series(1, 12000) number;
CREATE TABLE origin AS SELECT chat.id, chat.customer_id, chat.workspace_id FROM chat_conversation chat
  JOIN accounts_customer customer ON customer.id = chat.customer_id WHERE customer.external_id = 'old';
INSERT INTO chat_conversation SELECT (jsonb_populate_record(chat, jsonb_build_object('id', copied.id))).*
  FROM copied, chat_conversation chat JOIN origin USING (id);
INSERT INTO chat_message SELECT (jsonb_populate_record(message, jsonb_build_object(
    'id', gen_random_uuid(), 'client_id', NULL, 'conversation_id', copied.id))).*
  FROM copied, chat_message message JOIN origin ON message.conversation_id = origin.id;
INSERT INTO actions_actionrequest (id, customer_id, proposal_key, action, spec_version, locale, asked_digest, arguments,
    digest, order_id, currency, shown, needs_approval, state, reason_code, reason_facts, proposed_by, confirmed_by,
    decided_by, created_at, changed_at, attempt_count, policy_version_id, workspace_id)
  SELECT copied.id, origin.customer_id, copied.number, 'refund_order', 1, 'en', copied.number, '{}', copied.number,
    'L-' || copied.number, 'EUR', '{}', false, 'proposed', '', '{}', 'test', '', '', now(), now(), 0,
    policy.current_id, origin.workspace_id
  FROM copied, origin JOIN actions_actionpolicy policy USING (workspace_id) WHERE policy.action = 'refund_order'
  ORDER BY copied.number;
INSERT INTO actions_ledgerentry
    (id, action, customer_id, order_id, amount, currency, day, status, created_at, request_id, workspace_id)
  SELECT gen_random_uuid(), action, customer_id, order_id, 1, 'EUR', now(), 'reserved', now(), id, workspace_id
  FROM actions_actionrequest JOIN copied USING (id);
CREATE FUNCTION wait_at() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN IF NEW.id::text = TG_ARGV[0] THEN PERFORM pg_advisory_xact_lock(18); END IF; RETURN NEW; END $$;
