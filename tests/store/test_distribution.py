"""The tables can be distributed by user, and the steps towards it."""

from contextlib import closing

import pytest

from uptake.store import postgres
from uptake.store.base import StoreUnusable
from uptake.store.distribution import (
    BY_USER,
    DISTRIBUTED,
    LOCAL,
    Distribution,
    Placement,
    steps,
)
from uptake.store.tables import metadata
from uptake.testing.postgres import Postgres

BY_USER_ID = Placement("distributed", "user_id", 7)
PLACED = Distribution(
    {**dict.fromkeys(BY_USER, BY_USER_ID), "attribute_names": Placement("reference")}, 32, 1
)


def test_keys_start_with_the_distribution_column() -> None:
    """Primary keys and unique indexes: those of users' data with project and user."""
    for name in BY_USER:
        table = metadata.tables[name]
        uniques = [list(table.primary_key.columns)]
        uniques += [list(index.columns) for index in table.indexes if index.unique]
        for columns in uniques:
            assert [column.name for column in columns[:2]] == ["project_id", "user_id"]


def test_rows_refer_to_rows_of_the_same_user_only(postgresql: Postgres) -> None:
    """There are no foreign keys, in the schema as it is made too."""
    database = postgresql.create("distribution_keys")
    with closing(postgres.open_store(database)) as store, store.reading() as connection:
        query = "SELECT count(*) FROM pg_constraint WHERE contype = 'f'"
        assert connection.exec_driver_sql(query).scalar() == 0


def test_a_new_database_is_distributed() -> None:
    """The data of users by user, with the first table; the names of attributes everywhere."""
    done = dict(steps(metadata.tables, Distribution({})))
    assert list(done) == list(DISTRIBUTED)
    assert done["users"] == (
        "SELECT create_distributed_table('users', 'user_id', colocate_with => 'none')"
    )
    assert done["documents"] == (
        "SELECT create_distributed_table('documents', 'user_id', colocate_with => 'users')"
    )
    assert done["attribute_names"] == "SELECT create_reference_table('attribute_names')"


def test_the_number_of_shards_is_that_of_the_first_table() -> None:
    """The others are placed with it."""
    done = dict(steps(metadata.tables, Distribution({}), 64))
    assert done["users"] == (
        "SELECT create_distributed_table('users', 'user_id', colocate_with => 'none',"
        " shard_count => 64)"
    )
    assert "shard_count" not in done["documents"]


def test_a_distributed_database_stays_as_it_is() -> None:
    """There is nothing to do, and nothing is misplaced."""
    assert list(steps(metadata.tables, PLACED)) == []
    assert PLACED.misplaced(metadata.tables) == {}


def test_a_table_of_a_newer_schema_is_distributed() -> None:
    """A migration creates it on the coordinator."""
    before = {name: placed for name, placed in PLACED.placements.items() if name != "sample_blocks"}
    now = Distribution(before, 32, 1)
    assert now.misplaced(metadata.tables) == {"sample_blocks": "local"}
    assert dict(steps(metadata.tables, now)).keys() == {"sample_blocks"}


def test_the_distribution_of_an_earlier_version_is_changed() -> None:
    """Tables that uploads write on every node return to the coordinator."""
    before = Distribution(
        {
            **PLACED.placements,
            "marks": Placement("reference"),
            "receipts": Placement("distributed", "request_id", 9),
            "documents": Placement("distributed", "upload_id", 9),
        },
        32,
        1,
    )
    assert before.misplaced(metadata.tables) == {
        "documents": "distributed by upload_id",
        "marks": "reference",
        "receipts": "distributed by request_id",
    }
    assert dict(steps(metadata.tables, before)) == {
        "documents": "SELECT alter_distributed_table('documents', distribution_column =>"
        " 'user_id', colocate_with => 'users')",
        "marks": "SELECT undistribute_table('marks')",
        "receipts": "SELECT undistribute_table('receipts')",
    }


def test_a_table_on_other_nodes_than_its_users_is_misplaced() -> None:
    """Rows of a user would be on two nodes."""
    elsewhere = Placement("distributed", "user_id", 8)
    now = Distribution({**PLACED.placements, "images": elsewhere}, 32, 1)
    assert now.misplaced(metadata.tables) == {"images": "distributed by user_id, elsewhere"}
    assert now.of("keys") == LOCAL


def test_a_database_without_citus_is_rejected(postgresql: Postgres) -> None:
    """In one sentence, and nothing is done."""
    database = postgresql.create("distribution_plain")
    postgres.open_store(database).close()
    with pytest.raises(StoreUnusable, match="lacks the extension citus"):
        list(postgres.distribute(database))
