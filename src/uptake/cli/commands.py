"""Every command."""

from uptake.cli import (
    backup,
    db,
    demo,
    export,
    keys,
    projects,
    rejections,
    retention,
    segments,
    send,
    serve,
    sql,
    types,
)
from uptake.cli.printing import Failed
from uptake.cli.root import root
from uptake.store.base import StoreUnavailable
from uptake.wiring import Unusable

app = root()
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("export")(export.export)
app.command("sql")(sql.sql)
app.add_typer(keys.app, name="keys")
app.add_typer(projects.app, name="projects")
app.add_typer(types.app, name="types")
app.add_typer(rejections.app, name="rejections")
app.add_typer(segments.app, name="segments")
app.add_typer(retention.app, name="retention")
app.add_typer(db.app, name="db")
app.add_typer(send.app, name="send")

TOLD: tuple[type[Exception], ...] = (Failed, Unusable, StoreUnavailable, OSError)
"""What is told in one line: its message is for the person at the terminal."""
