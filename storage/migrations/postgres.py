"""What a PostgreSQL database has besides the tables: procrastinate's queue, and the rates that all processes keep."""

import sqlalchemy as sa
from procrastinate.schema import SchemaManager
from sqlalchemy.ext.compiler import compiles

_RATES = """
-- Not logged: a call needs no disk, and a server that crashes forgets nothing but the last minute's calls.
CREATE UNLOGGED TABLE rates (
    name text COLLATE "C" PRIMARY KEY,
    times float8[] NOT NULL DEFAULT '{}',  -- when the latest calls were made, the oldest first
    closed_until float8 NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- Make a call under all of `names`, at most sizes[i] of them in any spans[i] seconds, if all of them let it: it counts
-- as slots[i], and spares[i] more must stay free. Gives the seconds each of them wants it to wait; all 0: it is
-- counted, else under none. The clock is this server's, the same for every machine. Names come in their order, so that
-- no two callers wait for each other; for the same reason nobody deletes a row but under a lock on the whole table.
CREATE FUNCTION take_turn(names text[], sizes int[], spans float8[], slots int[], spares int[])
RETURNS float8[] LANGUAGE plpgsql AS $$
DECLARE
    now float8;
    one rates%ROWTYPE;
    taken int;
    lacking int;
    waits float8[];
BEGIN
    INSERT INTO rates (name) SELECT unnest(names) ON CONFLICT DO NOTHING;
    PERFORM FROM rates WHERE name = ANY (names) ORDER BY name FOR UPDATE;
    now := extract(epoch FROM clock_timestamp());
    FOR i IN 1 .. cardinality(names) LOOP
        SELECT * INTO one FROM rates WHERE name = names[i];
        taken := cardinality(one.times);
        IF one.times[taken] > now THEN  -- the clock was set back
            UPDATE rates SET times = '{}' WHERE name = names[i];
            taken := 0;
        END IF;
        lacking := taken + least(slots[i] + spares[i], sizes[i]) - sizes[i];
        waits[i] := greatest(0, one.closed_until - now);
        IF lacking > 0 THEN
            waits[i] := greatest(waits[i], one.times[lacking] + spans[i] - now);
        END IF;
    END LOOP;
    IF 0 = ALL (waits) THEN
        FOR i IN 1 .. cardinality(names) LOOP
            UPDATE rates SET times = (times || array_fill(now, ARRAY[slots[i]]))[
                greatest(cardinality(times) + slots[i] - sizes[i], 0) + 1 :
            ] WHERE name = names[i] AND slots[i] > 0;
        END LOOP;
    END IF;
    RETURN waits;
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


@compiles(sa.String, "postgresql")
def _any_length(*_: object, **__: object) -> str:
    """Limit no text, as SQLite limits none: what comes from Telegram has the length that Telegram gives it."""
    return "TEXT"


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
