"""Memory of a process tree over time, sampled from /proc.

It is the sum of proportional set sizes: pages that workers share are counted once, not per worker.
"""

from __future__ import annotations

import re
import statistics
import threading
import time
from pathlib import Path

INTERVAL_SECONDS = 0.1
SPARSE_SECONDS = 0.5
"""Interval beside small requests. Linux takes 7 ms to add up the pages of a server, and where it
does not preempt itself a request may wait for that: ten times a second, that doubled the requests
of a single client that took over 2.5 ms (measured)."""
AVERAGED_SHARE = 0.05
"""The figure of a moment is the median over this share of the run before it."""
MEGABYTE = 1_000_000

_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


def tree(root: int) -> list[int]:
    """The process and its descendants."""
    found = [root]
    for process in found:  # grows while it is walked
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            try:
                found += map(int, children.read_text().split())
            except OSError:
                continue  # the thread has ended
    return found


def proportional_bytes(root: int) -> int:
    """The memory of the processes now."""
    total = 0
    for process in tree(root):
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:
            continue  # the process has ended
        match = _PSS.search(rollup)
        total += int(match[1]) * 1024 if match else 0
    return total


class MemoryLog:
    """Samples the memory of a tree in a thread, until stopped.

    Attributes:
        interval: seconds between samples.
    """

    def __init__(self, root: int) -> None:
        self.interval = INTERVAL_SECONDS
        self._root = root
        self._samples: list[tuple[float, int]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(self.interval):
            self._samples.append((time.perf_counter(), proportional_bytes(self._root)))

    def stop(self) -> None:
        """End the sampling; what was seen stays."""
        self._stop.set()
        self._thread.join()

    @property
    def peak_megabytes(self) -> float:
        """The most that was seen at one time."""
        return max((size for _, size in self._samples), default=0) / MEGABYTE

    def peak_within(self, begin: float, end: float) -> float:
        """The most that was seen between two moments of `time.perf_counter`, in megabytes."""
        seen = [size for moment, size in self._samples if begin <= moment <= end]
        return max(seen, default=0) / MEGABYTE

    def megabytes_at(self, window: tuple[float, float], share: float) -> float:
        """Memory when that share of the window had passed."""
        opens, closes = window
        end = opens + (closes - opens) * share
        begin = end - max((closes - opens) * AVERAGED_SHARE, 3 * self.interval)
        seen = [size for moment, size in self._samples if begin <= moment <= end]
        return statistics.median(seen) / MEGABYTE if seen else 0.0
