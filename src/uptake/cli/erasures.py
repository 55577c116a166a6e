"""`uptake erasures`: list, show and verify the receipts of erased users."""

from pathlib import Path
from typing import Annotated

import typer

from uptake.cli.options import PageOptions, ProjectOptions, StoreOptions, option
from uptake.cli.terminal import Failed, Json, print_json, print_list, print_result
from uptake.http.parameter_groups import expand_groups

MAX_FILE_BYTES = 64 * 1024
"""A receipt or a public key takes less than one kilobyte."""

app = typer.Typer(help="List, show and verify the receipts of erased users.")


@app.command("list")
@expand_groups
def list_erasures(options: ProjectOptions, paging: PageOptions) -> None:
    """List receipts, the oldest erasure first."""
    from uptake.reading import erasures

    with options.open_project() as store:
        page = erasures.page(store, options.project, paging)
    rows = (
        (one.erasure_id, one.erased_at, one.finished_at, one.user_hash) for one in page.erasures
    )
    headings = ["id", "erased", "finished", "user hash"]
    print_list(page, headings, rows, json=paging.json, cursor=page.next)


@app.command()
@expand_groups
def show(
    erasure_id: Annotated[
        str, typer.Argument(metavar="ID", help="Erasure id.", show_default=False)
    ],
    options: ProjectOptions,
) -> None:
    """Print a receipt as JSON."""
    from uptake.reading import erasures

    with options.open_project() as store:
        print_json(erasures.erasure(store, options.project, erasure_id))


@app.command()
@expand_groups
def verify(
    receipt_file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Receipt file (JSON).", show_default=False)
    ],
    options: StoreOptions,
    public_key: Annotated[
        Path | None,
        option("--public-key", "Public key file (PEM). Default: the key in the database."),
    ] = None,
    user: Annotated[
        str | None, option("--user", "Also check that the receipt is this user's.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Check the signature of a receipt. Exits with 1 if it is invalid."""
    import msgspec

    from uptake.model.problems import json_reason
    from uptake.reading import erasures, signatures

    if user is not None and public_key is not None:
        raise typer.BadParameter("--user needs the database and cannot be used with --public-key")
    try:
        receipt = msgspec.json.decode(_read(receipt_file), type=erasures.ErasureReceipt)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Failed(f"{receipt_file}: not an erasure receipt: {json_reason(error)}") from None
    user_hash = None
    if public_key is not None:
        pem = _read(public_key)
    else:
        with options.open() as store:
            pem = signatures.public_key(store.secrets().signing).pem.encode()
            user_hash = None if user is None else store.user_hash(user)
    try:
        signed = signatures.is_signed(pem, erasures.signed_text(receipt), receipt.signature)
    except signatures.NoPublicKey as error:
        raise Failed(f"{public_key}: {error}") from None
    if not signed:
        raise Failed(
            f"{receipt_file}: invalid signature: the receipt was changed, or another installation"
            " signed it"
        )
    if user_hash is not None and user_hash != receipt.user_hash:
        raise Failed(f"{receipt_file}: the signature is valid, but for another user")
    print_result({"valid": True}, "The signature is valid.", json=json)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror or error}") from None
    if len(content) > MAX_FILE_BYTES:
        raise Failed(f"{path}: larger than {MAX_FILE_BYTES // 1024} KiB")
    return content
