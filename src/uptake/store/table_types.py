"""What all tables share: their metadata, and the type of names."""

import sqlalchemy
from sqlalchemy import Dialect, MetaData, TypeDecorator

metadata = MetaData()


class Name(TypeDecorator[str]):
    """Text that is ordered by code points, whatever the collation of the database.

    PostgreSQL cannot store a NUL in a text, so no stored name has one. A name with a NUL is passed
    as NULL, which matches no row.
    """

    impl = sqlalchemy.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """See `TypeDecorator`."""
        del dialect
        return None if value is None or "\0" in value else value


String = sqlalchemy.String().with_variant(Name(collation="C"), "postgresql")
