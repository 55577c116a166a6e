"""A process that serves does not outlive the one that started it."""

import multiprocessing
import os
import signal
import threading


def hold() -> None:
    """Have this process killed as soon as the one that started it is gone, whatever ended that.

    Otherwise a server whose first process is killed would go on serving out of anyone's sight, on
    a port that the next server needs. Being killed loses nothing: what is answered is on disk.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
