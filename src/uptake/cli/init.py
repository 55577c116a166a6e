"""`uptake init`: create the database."""

from contextlib import closing

from uptake.cli.options import StoreOptions
from uptake.cli.terminal import Json, print_result
from uptake.http.parameter_groups import expand_groups


@expand_groups
def init(options: StoreOptions, *, json: Json = False) -> None:
    """Create an empty database, unless it exists already.

    `uptake serve` does the same when it starts.
    """
    from uptake import wiring

    settings = options.settings
    try:
        store, created = wiring.open_store(settings), False
    except wiring.Missing:
        store, created = wiring.open_store(settings, make=True), True
    with closing(store):
        instance = store.secrets().instance
    place = "the database" if settings.database else str(settings.data_dir.resolve())
    if not created:
        line = f"There is a database in {place} already."
    elif settings.database:
        line = f"Created the tables in {place}."
    else:
        line = f"Created a database in {place}."
    print_result({"created": created, "instance": instance}, line, json=json)
