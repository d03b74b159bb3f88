"""The shop the statements are written for: its schema, its tags."""

from __future__ import annotations

from gateway.postgres.catalog import Tag

SCHEMA = r"""
CREATE TABLE customers (
    id serial PRIMARY KEY, name text, email text UNIQUE, card_number varchar(20), ssn char(11), balance numeric(12,2),
    created_at timestamptz DEFAULT now()
);
INSERT INTO customers (name, email, card_number, ssn, balance)
     SELECT 'Name ' || n, 'SECRET-e' || n, 'SECRET-c' || n, 'SECRET-s' || n, 7777777.77 FROM generate_series(1, 3) n;
CREATE TABLE orders (
    id serial PRIMARY KEY, customer_id int REFERENCES customers (id), total numeric(10,2), status text,
    tags text[], note json, created_at timestamptz DEFAULT now()
);
INSERT INTO orders (customer_id, total, status, tags) SELECT n, n * 10, 'open', ARRAY['a', 'b'] FROM generate_series(1, 3) n;
CREATE TABLE "Weird Table" ("Sec.ret" text, x int);
CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));

CREATE TABLE events (id int, actor_email text, at date) PARTITION BY RANGE (at);
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');

CREATE VIEW active_customers AS SELECT id, email, name FROM customers WHERE id > 0;
CREATE VIEW renamed (number, address) AS SELECT id, email FROM active_customers;
CREATE VIEW lowered AS SELECT id, lower(email) AS e FROM customers;
CREATE VIEW samples AS SELECT tablename, most_common_vals::text AS vals FROM pg_stats;
CREATE VIEW everyone AS SELECT id, email AS value FROM customers UNION ALL SELECT id, status FROM orders;
CREATE MATERIALIZED VIEW copied AS SELECT id, card_number FROM customers;
CREATE VIEW locked AS SELECT id, name FROM customers;
CREATE RULE locked_delete AS ON DELETE TO locked DO INSTEAD NOTHING;

CREATE FUNCTION all_emails() RETURNS SETOF text LANGUAGE sql AS 'SELECT email FROM customers';
CREATE FUNCTION touch(int) RETURNS void LANGUAGE sql AS 'UPDATE orders SET total = total WHERE id = $1';
CREATE FUNCTION upper(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION peek(customers) RETURNS text LANGUAGE sql AS 'SELECT $1.email';
CREATE FUNCTION leak(text) RETURNS text LANGUAGE sql AS 'SELECT email FROM customers LIMIT 1';
CREATE PROCEDURE refund(int) LANGUAGE sql AS 'UPDATE orders SET total = 0 WHERE id = $1';
CREATE VIEW emails AS SELECT all_emails() AS e;

CREATE FUNCTION same(int, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = text, FUNCTION = same);
CREATE OPERATOR <> (LEFTARG = int, RIGHTARG = text, FUNCTION = same);

CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE TABLE shapes (id int, kind mood, p pair, n positive);
CREATE FUNCTION total(pair) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION pair_lt(pair, pair) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR < (LEFTARG = pair, RIGHTARG = pair, FUNCTION = pair_lt);

CREATE SCHEMA hr;
CREATE TABLE hr.salaries (id int, amount numeric);
CREATE FUNCTION hr.lower(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION hr.raise() RETURNS int LANGUAGE sql AS 'SELECT 1';
"""

TAGS = {
    ("public", "customers", "email"): Tag("email", lookup=True),
    ("public", "customers", "card_number"): Tag("card_number"),
    ("public", "customers", "ssn"): Tag("ssn"),
    ("public", "customers", "balance"): Tag("balance"),
    ("public", "events", "actor_email"): Tag("email", lookup=True),
    ("hr", "salaries", "amount"): Tag("salary"),
    ("public", "Weird Table", "Sec.ret"): Tag("secret"),
}
