"""Which projects require the registration of users."""

from sqlalchemy import select

from uptake.store import tables as t
from uptake.store.database import Database, update_all


class SqlRegistration(Database):
    """The port `Registration`, on SQL."""

    def require_registration(self, project: str, *, required: bool) -> bool:
        """See `Registration.require_registration`."""
        values = {"require_registration": int(required)}
        with self.writing() as connection:
            return update_all(connection, t.projects, [t.projects.c.name == project], values) > 0

    def registering_projects(self) -> list[str]:
        """See `Registration.registering_projects`."""
        p = t.projects.c
        query = select(p.name).where(p.require_registration == 1).order_by(p.name)
        with self.reading() as connection:
            return list(connection.scalars(query))
