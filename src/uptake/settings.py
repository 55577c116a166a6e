"""The settings of a server; each is also an environment variable."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

PREFIX = "UPTAKE_"


_PASSWORD = re.compile(r"(://[^/@:]*:).*@")
_PARAMETER = re.compile(r"([?&][^=&]*(?:pass|secret|token|key)[^=&]*=)[^&]*", re.IGNORECASE)


def hide_secrets(url: str) -> str:
    """A URL to show: without its password, and without parameters that may be secret."""
    return _PARAMETER.sub(r"\1***", _PASSWORD.sub(r"\1***@", url))


def variable(name: str) -> str:
    """The environment variable of a setting or of an option, such as `--data-dir`."""
    return PREFIX + name.removeprefix("--").upper().replace("-", "_")


class AnswerLimits(msgspec.Struct, frozen=True):
    """The limits of computing an answer.

    Attributes:
        seconds: time.
        memory: approximate number of bytes.
        slow_per_key: slow requests of one API key that a process runs at a time.
    """

    seconds: float = 30
    memory: int = 500 << 20
    slow_per_key: int = 2


class Settings(msgspec.Struct, frozen=True):
    """The settings of a server.

    Attributes:
        data_dir: folder for the database file and the blobs; created if it does not exist.
        host, port: where to listen.
        database: URL of the database; by default the file `uptake.db` in `data_dir`.
        blobs: URL of the blob store; by default the folder `blobs` in `data_dir`.
        workers: processes that serve.
        metrics_host, metrics_port: address of the metrics; port 0 serves them at `/metrics` on the
            main port, and the host is by default that of the main port.
        cors_origin: origins, separated by spaces, of which scripts may read; none by default.
        public_url: external URL of the server; by default the one that a request was sent to.
        segment_memory: megabytes of memory that a process may use for the users of segments.
        segment_warm: projects with users that a process reads for segments after its start: names
            separated by commas, or `all`.
        answer_seconds: seconds that computing an answer may take.
        answer_memory: approximate megabytes of memory that computing an answer may take.
        slow_per_key: slow requests of one API key that a process runs at a time.
        image_rate: millions of pixels of one API key that a process decodes in a second.
    """

    data_dir: Path = Path("uptake-data")
    host: str = "127.0.0.1"
    port: int = 8000
    database: str = ""
    blobs: str = ""
    workers: int = 1
    public_url: str = ""
    cors_origin: str = ""
    metrics_host: str = ""
    metrics_port: int = 0
    segment_memory: int = 2000
    segment_warm: str = ""
    answer_seconds: int = 30
    answer_memory: int = 500
    slow_per_key: int = 2
    image_rate: int = 2000

    @property
    def answers(self) -> AnswerLimits:
        """The limits of one answer."""
        return AnswerLimits(self.answer_seconds, self.answer_memory << 20, self.slow_per_key)

    @property
    def metrics(self) -> tuple[str, int] | None:
        """Address and port of the metrics, if they have their own."""
        return (self.metrics_host or self.host, self.metrics_port) if self.metrics_port else None

    @property
    def blobs_url(self) -> str:
        """The URL of the blobs."""
        return self.blobs or (self.data_dir.resolve() / "blobs").as_uri()

    def to_dict(self) -> dict[str, Any]:
        """These settings by name."""
        return msgspec.structs.asdict(self)

    def to_environment(self) -> dict[str, str]:
        """These settings as environment variables, for the processes that serve."""
        return {variable(name): str(value) for name, value in self.to_dict().items()}


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings in environment variables.

    Raises:
        ValueError: a value has the wrong type.
    """
    values = {
        name: environment[variable(name)]
        for name in Settings.__struct_fields__
        if environment.get(variable(name))
    }
    return msgspec.convert(values, Settings, strict=False, dec_hook=lambda kind, value: kind(value))
