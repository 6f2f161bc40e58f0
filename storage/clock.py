"""The database's own clock: one clock for all the processes that share it."""

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction


class moment(GenericFunction[float]):  # noqa: N801  SQL's functions are written like this
    """The present moment, in seconds since the epoch; it goes on within a transaction."""

    type = sa.Float()
    inherit_cache = True


@compiles(moment)
def _on_server(*_: object, **__: object) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS float8)"


@compiles(moment, "sqlite")
def _in_file(*_: object, **__: object) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"
