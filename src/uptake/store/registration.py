"""Which projects require the registration of users."""

from sqlalchemy import select

from uptake.store import tables as t
from uptake.store.audit import record
from uptake.store.database import Database, update_all


class SqlRegistration(Database):
    """The port `Registration`, on SQL."""

    def require_registration(self, project: str, *, required: bool) -> bool:
        """See `Registration.require_registration`."""
        values = {"require_registration": int(required)}
        this = t.projects.c.name == project
        with self.writing() as connection:
            if not update_all(connection, t.projects, [this], values):
                return False
            change = "project.change"
            record(connection, project, change, project, require_registration=required)
        return True

    def registering_projects(self) -> list[str]:
        """See `Registration.registering_projects`."""
        p = t.projects.c
        query = select(p.name).where(p.require_registration == 1).order_by(p.name)
        with self.reading() as connection:
            return list(connection.scalars(query))
