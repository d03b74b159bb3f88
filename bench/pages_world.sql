-- A large deployment for bench/pages.py. :agents, :actions, :days and :per_session are put in by the script.
-- One agent in a hundred is the owner's, who signs in; everything is older than now and spread over :days days; a session asks in bursts of 25, a burst of reads shares an entry.

CREATE TEMP TABLE agent_numbers AS
SELECT n, gen_random_uuid() AS id, (SELECT array_agg(id ORDER BY name) FROM agents_segment) AS segments,
    least(96, floor(100 * power(random(), 4)))::int AS risk
FROM generate_series(1, :agents) AS n;

INSERT INTO agents_agent (id, name, function, environment, instance, purpose, segment_id, owner_id, deputy_id, enroller_id,
    status, status_reason, enrolled_at, risk)
SELECT id, 'worker-' || n || '.production', 'worker-' || n, 'production', '', 'Works through queue ' || n,
    segments[1 + n % array_length(segments, 1)], CASE WHEN n % 100 = 0 THEN :owner::uuid ELSE :engineer::uuid END, NULL, :engineer,
    CASE WHEN risk >= 80 THEN 'suspended' WHEN n % 50 = 0 THEN 'retired' ELSE 'active' END, '', now() - interval '100 days', risk
FROM agent_numbers;

INSERT INTO agents_agentkey (id, agent_id, kid, algorithm, public_jwk, added_at)
SELECT gen_random_uuid(), id, 'kid-' || n, 'ES256', '{}', now() - interval '80 days' FROM agent_numbers WHERE n % 200 <> 0;

INSERT INTO agents_credential (id, agent_id, key_id, resource_id, kind, purpose, source, issued_at, expires_at, revoked_reason)
SELECT gen_random_uuid(), key.agent_id, key.id, resource.id, 'bearer', '', '10.0.0.1', now() - make_interval(hours => n * 3),
    now() - make_interval(hours => n * 3) + interval '10 minutes', ''
FROM agents_agentkey AS key, generate_series(0, 4) AS n, LATERAL (SELECT id FROM agents_resource ORDER BY name LIMIT 1) AS resource;

INSERT INTO monitoring_agentscore (agent_id, score, lines, scored_at, due_at, granted, used, bearer, measured_at, policy_version)
SELECT id, risk, jsonb_build_array(
        jsonb_build_object('because', 'Never used 6 of the 9 permissions it holds', 'points', least(risk, 8), 'kind', 'breadth'),
        jsonb_build_object('because', '5 actions were denied', 'points', risk - least(risk, 8), 'kind', 'denied')),
    now(), now() + interval '1 day', 9, 2 + n % 8, n % 3 = 0, now(), 1
FROM agent_numbers;

CREATE TEMP TABLE resource_numbers AS
SELECT id, name, row_number() OVER (ORDER BY name) - 1 AS n FROM agents_resource;

INSERT INTO activity_session (id, agent_id, agent_name, resource_id, resource_name, credential_id, node_id, protocol, source,
    client, purpose, began_at, ended_at, end_reason)
SELECT gen_random_uuid(), agent.id, 'worker-' || agent.n || '.production', resource.id, resource.name, gen_random_uuid(), :node,
    'postgres', '10.0.0.1', 'psql', 'Queue ' || s, began, CASE WHEN s > 20 THEN began + interval '3 minutes' END,
    CASE WHEN s > 20 THEN 'The client left.' ELSE '' END
FROM (SELECT s, now() - interval '1 hour' - (s * :days * interval '1 day' / (:actions / :per_session)) AS began,
        1 + (s * 7919) % :agents AS agent FROM generate_series(1, :actions / :per_session) AS s) AS made
JOIN agent_numbers AS agent ON agent.n = made.agent
JOIN resource_numbers AS resource ON resource.n = made.s % (SELECT count(*) FROM resource_numbers);

-- One action in 40 is denied, one in 100 held; of the others one in 8 is masked.
INSERT INTO activity_action (id, session_id, node_id, agent_id, resource_id, credential_id, number, verb, shown, summary, shape, tables,
    tags, digest, salt, decision, masked, reason, code, policies, policy_version, status, asked_at, released_at, finished_at, rows,
    bytes, masked_values, sqlstate, message, entry_id, outcome_entry_id)
SELECT gen_random_uuid(), session.id, session.node_id, session.agent_id, session.resource_id, session.credential_id, k,
    CASE WHEN kind = 'hold' THEN 'sql:delete' ELSE 'sql:select' END,
    'SELECT id, status, placed_at FROM orders WHERE customer_id = ' || k * 37 || ' ORDER BY placed_at DESC LIMIT 5',
    CASE WHEN kind = 'hold' THEN 'Deletes rows from orders' ELSE 'Reads orders' END, md5((k % 20)::text), '{public.orders}',
    CASE WHEN k % 8 = 0 THEN '{email}'::text[] ELSE '{}' END, 'sha256:' || md5(k::text) || md5(session.id::text), '\x00',
    replace(kind, 'mask', 'allow'), kind = 'mask', 'Reads of orders are allowed.', CASE WHEN kind = 'deny' THEN 'forbidden' ELSE '' END,
    '{reads}', 1, CASE kind WHEN 'deny' THEN 'denied' WHEN 'hold' THEN 'done' ELSE 'done' END, asked,
    CASE WHEN kind <> 'deny' THEN asked END, CASE WHEN kind <> 'deny' THEN asked + interval '4 ms' END, 5, 400, 0, '', '',
    CASE WHEN kind IN ('allow', 'mask') THEN md5(session.id::text || (k - 1) / 25)::uuid ELSE gen_random_uuid() END, NULL
FROM activity_session AS session, generate_series(1, :per_session) AS k,
LATERAL (SELECT session.began_at + make_interval(secs => (k - 1) / 25 * 60 + (k - 1) % 25 * 0.05) AS asked,
    CASE WHEN k % 40 = 7 THEN 'deny' WHEN (k + extract(epoch FROM session.began_at)::bigint) % 100 = 3 THEN 'hold'
        WHEN k % 8 = 0 THEN 'mask' ELSE 'allow' END AS kind) AS decided;

INSERT INTO approvals_hold (id, action_id, session_id, agent_id, resource_id, digest, salt, verb, summary, shown, shape, tables, tags,
    purpose, requirement, reasons, policy_version, excluded, risk, risk_sum, locks, in_transaction, status, asked_at, deadline,
    settled_at, settled_because)
SELECT gen_random_uuid(), id, session_id, agent_id, resource_id, digest, '\x00', verb, summary, shown, shape, tables, tags, 'Cleaning up',
    '{"dba": 1}', '[{"policy": "writes", "why": "Writes need people."}]', 1, '[]', 40, '[]', '[]', false,
    (ARRAY['released', 'released', 'denied', 'expired'])[1 + n % 4], asked_at, asked_at + interval '15 minutes',
    asked_at + make_interval(secs => 5 + n % 300), ''
FROM (SELECT *, row_number() OVER () AS n FROM activity_action WHERE decision = 'hold') AS held;

UPDATE approvals_hold SET status = 'waiting', settled_at = NULL, deadline = now() + interval '20 minutes'
WHERE id IN (SELECT id FROM approvals_hold ORDER BY asked_at DESC LIMIT 40);

INSERT INTO monitoring_incident (id, kind, severity, agent_id, status, began_at, detected_at, contained_at, resolved_at, resolution, salt)
SELECT gen_random_uuid(), (ARRAY['denials', 'tagged_reads', 'risk'])[1 + i % 3], (ARRAY['low', 'medium', 'high'])[1 + i % 3], agent.id,
    CASE WHEN i > 12 THEN 'resolved' ELSE 'open' END, at, at + make_interval(secs => 10 + i % 60), at + make_interval(secs => 12 + i % 60),
    CASE WHEN i > 12 THEN at + make_interval(hours => 1 + i % 5) END, CASE WHEN i > 12 THEN 'A bad deploy.' ELSE '' END, '\x00'
FROM (SELECT i, now() - i * :days * interval '1 day' / 501 AS at FROM generate_series(1, 500) AS i) AS made
JOIN agent_numbers AS agent ON agent.n = 1 + (i * 31) % :agents;

INSERT INTO monitoring_signal (id, kind, agent_id, points, at, entry, incident_id)
SELECT gen_random_uuid(), 'denied', agent_id, 6, began_at + make_interval(secs => k), (row_number() OVER ()), id
FROM monitoring_incident, generate_series(1, 5) AS k;

INSERT INTO activity_gatewaynode (id, name, started_at, beat_at) VALUES (:node, 'bench', now(), now() + interval '1 day');
ANALYZE;
