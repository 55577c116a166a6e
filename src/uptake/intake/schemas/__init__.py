"""JSON Schemas of document types, which check documents within bounds of time and memory."""

from uptake.intake.schemas.compiled import (
    MAX_BYTES,
    Check,
    InvalidSchema,
    NeedsWorker,
    Schema,
    compile_schema,
)
from uptake.intake.schemas.document_types import (
    STALE,
    TRUST_SECONDS,
    DocumentTypes,
    InvalidName,
    KnownType,
    register,
)
from uptake.intake.schemas.process import MAX_VIOLATIONS
from uptake.intake.schemas.workers import TOO_COMPLEX, WORKERS, SchemaWorkers

__all__ = [
    "MAX_BYTES",
    "MAX_VIOLATIONS",
    "STALE",
    "TOO_COMPLEX",
    "TRUST_SECONDS",
    "WORKERS",
    "Check",
    "DocumentTypes",
    "InvalidName",
    "InvalidSchema",
    "KnownType",
    "NeedsWorker",
    "Schema",
    "SchemaWorkers",
    "compile_schema",
    "register",
]
