"""What the admins were told: once for each cause, over all the processes that share the database."""

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from storage.clock import moment
from storage.database import Connection
from storage.tables import alerts

_insert = insert(alerts).values(at=moment())
_tell = _insert.on_conflict_do_update(
    index_elements=["key"],
    set_={"at": _insert.excluded.at},
    where=alerts.c.at <= moment() - sa.bindparam("quiet", type_=sa.Float),
).returning(alerts.c.key)


async def tell(conn: Connection, cause: str, quiet: float) -> bool:
    """Tell whether the admins have yet to hear of `cause`: nobody told them in the last `quiet` seconds."""
    return await conn.one(_tell, key=cause, quiet=quiet) is not None
