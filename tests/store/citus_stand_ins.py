"""A plain PostgreSQL that the store takes for one with Citus."""

from contextlib import closing

import psycopg

from uptake.store import postgres
from uptake.testing.postgres import Postgres

STAND_INS = b"""
    CREATE TABLE pg_dist_partition (
        logicalrelid regclass, partmethod "char", repmodel "char", partkey text, colocationid int
    );
    INSERT INTO pg_dist_partition
    SELECT name::regclass, 'h', 's', 'user_id', 1
    FROM unnest(ARRAY[
        'users', 'sample_batches', 'sample_blocks', 'documents', 'images', 'rejections',
        'receipt_blocks', 'outbox', 'segment_members'
    ]) AS tables (name);
    INSERT INTO pg_dist_partition VALUES ('attribute_names', 'n', 't', NULL, 2);
    CREATE FUNCTION column_to_column_name(regclass, text) RETURNS text
        LANGUAGE sql AS 'SELECT $2';
    CREATE TABLE pg_dist_colocation (colocationid int, shardcount int, replicationfactor int);
    INSERT INTO pg_dist_colocation VALUES (1, 2, 1);
    CREATE TABLE pg_dist_placement (shardid int8, groupid int);
    INSERT INTO pg_dist_placement VALUES (0, 1), (1, 2);
    CREATE FUNCTION get_shard_id_for_distribution_column(regclass, text) RETURNS int8
        LANGUAGE sql AS 'SELECT length($2)::int8 % 2';
    CREATE TABLE pg_dist_transaction (groupid int, gid text);
    CREATE TABLE answers (success bool, result text);
    INSERT INTO answers VALUES (true, '');
    CREATE FUNCTION run_command_on_workers(text)
        RETURNS TABLE (nodename text, nodeport int, success bool, result text)
        LANGUAGE sql AS $$SELECT 'node', 5432, answers.success, answers.result FROM answers$$;
    CREATE TABLE pg_dist_node (
        nodeid int, groupid int, nodename text, nodeport int, isactive bool, shouldhaveshards bool,
        noderole text
    );
    INSERT INTO pg_dist_node VALUES
        (1, 1, 'one', 5432, true, true, 'primary'), (2, 2, 'two', 5432, true, true, 'primary');
    CREATE FUNCTION run_command_on_all_nodes(text)
        RETURNS TABLE (nodeid int, success bool, result text)
        LANGUAGE sql AS $$SELECT 1, answers.success, answers.result FROM answers$$;
    CREATE FUNCTION undistribute_table(text) RETURNS void
        LANGUAGE sql AS 'DELETE FROM pg_dist_partition WHERE logicalrelid = $1::regclass';
"""
"""The functions and catalogues of Citus that the store reads: two nodes, the second with the users
that have an id of odd length. `answers` has what each node answers to a command."""


def distributed_database(server: Postgres, name: str) -> str:
    """Create a database with the stand-ins, and return its URL."""
    url = server.create(name)
    postgres.open_store(url).close()
    stand_in(url)
    return url


def stand_in(url: str) -> None:
    """Make a database with the tables of Uptake look like a distributed one."""
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(STAND_INS)
