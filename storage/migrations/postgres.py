"""What a PostgreSQL database has besides the tables: procrastinate's queue, and the rates that all processes keep."""

import sqlalchemy as sa
from procrastinate.schema import SchemaManager

_RATES = """
CREATE UNLOGGED TABLE rates (
    name text PRIMARY KEY,
    times float8[] NOT NULL DEFAULT '{}',
    closed_until float8 NOT NULL DEFAULT 0
);

-- Seconds until one more call may be made under each of `names`: at most sizes[i] in any spans[i] seconds. When it is
-- 0 the call is counted under all of them, else under none. The clock is this server's, the same for every machine.
-- Callers name what they share in one order, so that no two wait for each other.
CREATE FUNCTION take_turn(names text[], sizes int[], spans float8[], slots int[]) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    now float8;
    free_at float8;
    one rates%ROWTYPE;
    taken int;
BEGIN
    INSERT INTO rates (name) SELECT unnest(names) ON CONFLICT DO NOTHING;
    PERFORM 1 FROM rates WHERE name = ANY (names) ORDER BY name FOR UPDATE;
    now := extract(epoch FROM clock_timestamp());
    free_at := now;
    FOR i IN 1 .. cardinality(names) LOOP
        SELECT * INTO one FROM rates WHERE name = names[i];
        free_at := greatest(free_at, one.closed_until);
        taken := cardinality(one.times);
        IF taken + slots[i] > sizes[i] THEN
            free_at := greatest(free_at, one.times[taken + slots[i] - sizes[i]] + spans[i]);
        END IF;
    END LOOP;
    IF free_at > now THEN
        RETURN free_at - now;
    END IF;
    FOR i IN 1 .. cardinality(names) LOOP
        UPDATE rates SET times = (
            SELECT array_agg(at ORDER BY at) FROM (
                SELECT unnest(times || array_fill(now, ARRAY[slots[i]])) AS at
                ORDER BY at DESC LIMIT sizes[i]
            ) AS latest
        ) WHERE name = names[i];
    END LOOP;
    RETURN 0;
END $$;
"""
_NOT_RATES = "DROP FUNCTION take_turn; DROP TABLE rates;"
_NOT_PROCRASTINATE = r"""
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT tablename FROM pg_tables
        WHERE schemaname = current_schema() AND tablename LIKE 'procrastinate\_%' LOOP
        EXECUTE format('DROP TABLE %I CASCADE', one.tablename);
    END LOOP;
    FOR one IN SELECT p.oid::regprocedure AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = current_schema() AND p.proname LIKE 'procrastinate\_%' LOOP
        EXECUTE format('DROP FUNCTION %s CASCADE', one.name);
    END LOOP;
    FOR one IN SELECT t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE n.nspname = current_schema() AND t.typname LIKE 'procrastinate\_%' AND t.typtype IN ('e', 'c') LOOP
        EXECUTE format('DROP TYPE %I CASCADE', one.typname);
    END LOOP;
END $$;
"""


def add(connection: sa.Connection) -> None:
    """Make it all."""
    _run(connection, SchemaManager.get_schema())
    _run(connection, _RATES)


def remove(connection: sa.Connection) -> None:
    """Drop it all."""
    _run(connection, _NOT_RATES)
    _run(connection, _NOT_PROCRASTINATE)


def _run(connection: sa.Connection, script: str) -> None:
    """Run several statements, in which % means itself."""
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101  it is open
    driver.execute(script)
