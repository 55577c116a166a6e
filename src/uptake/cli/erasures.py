"""`uptake erasures`: the receipts of erasures, listed, shown and verified."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from uptake.cli.printing import Failed, Json, print_json, print_more, print_table
from uptake.cli.store import DATA_DIR, Database, DataDir, opened, require_project
from uptake.cli.terminal import say
from uptake.reading import BadCursor, Unknown, erasures, signatures
from uptake.store.base import DEFAULT_PROJECT

MAX_FILE_BYTES = 64 * 1024
"""A receipt has less than one kilobyte, and a public key as well."""

LISTED = 1000

app = typer.Typer(help="Receipts of erased users: list, show and verify them.")
Project = Annotated[str, typer.Option("--project", help="The project of the erasures.")]


@app.command("list")
def list_erasures(
    cursor: Annotated[
        str | None, typer.Option("--cursor", help="Where an earlier list ended.")
    ] = None,
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    *,
    json: Json = False,
) -> None:
    """List receipts in the order of the erasures."""
    with opened(data_dir, database) as store:
        require_project(store, project)
        try:
            page = erasures.page(store, project, cursor, LISTED)
        except BadCursor as error:
            raise typer.BadParameter(str(error)) from None
    if json:
        print_json(page)
        return
    lines = [
        (one.erasure_id, one.erased_at, one.finished_at, one.user_hash) for one in page.erasures
    ]
    print_table(["id", "erased", "finished", "user hash"], lines)
    print_more(page.next)


@app.command()
def show(
    erasure_id: Annotated[
        str, typer.Argument(metavar="ID", help="Of the erasure.", show_default=False)
    ],
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
) -> None:
    """Print a receipt, JSON."""
    with opened(data_dir, database) as store:
        require_project(store, project)
        try:
            print_json(erasures.erasure(store, project, erasure_id))
        except Unknown:
            raise Failed(f"there is no erasure {erasure_id!r} in this project") from None


@app.command()
def verify(
    receipt_file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A receipt, JSON.", show_default=False)
    ],
    public_key: Annotated[
        Path | None,
        typer.Option("--public-key", help="A file with the public key, PEM; else the database's."),
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", help="Also check that this user was erased.")
    ] = None,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
) -> None:
    """Check the signature of a receipt, and with --user whose it is. Ends with 1 if it is wrong."""
    if user is not None and public_key is not None:
        raise typer.BadParameter("--user needs the database; leave --public-key out")
    try:
        receipt = msgspec.json.decode(_read(receipt_file), type=erasures.ErasureReceipt)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Failed(f"{receipt_file}: not the receipt of an erasure: {error}") from None
    user_hash = None
    if public_key is not None:
        pem = _read(public_key)
    else:
        with opened(data_dir, database) as store:
            pem = signatures.public_key(store.secrets().signing).pem.encode()
            user_hash = None if user is None else store.user_hash(user)
    try:
        signed = signatures.is_signed(pem, erasures.signed_text(receipt), receipt.signature)
    except signatures.NoPublicKey as error:
        raise Failed(f"{public_key}: {error}") from None
    if not signed:
        raise Failed(
            f"{receipt_file}: the signature is wrong: the receipt was changed, or another"
            " installation signed it"
        )
    if user_hash is not None and user_hash != receipt.user_hash:
        raise Failed(f"{receipt_file}: the receipt is signed, but of another user")
    say("The signature is valid.")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror or error}") from None
    if len(content) > MAX_FILE_BYTES:
        raise Failed(f"{path}: larger than {MAX_FILE_BYTES // 1024} KiB")
    return content
