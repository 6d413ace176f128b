"""End of a process with the one that started it, however that ended."""

import multiprocessing
import os
import threading
import time

PARENT = 'MMSEG_SPML_PARENT'
"""The environment variable by which a process names itself to those that it starts."""
_SECONDS = 1.0


def exit_with_parent() -> None:
    """End this process soon after its parent has ended.

    A process whose parent was killed would otherwise go on, hold its memory, and write
    to the same files as the process of the next attempt.
    """
    threading.Thread(target=_exit_after_parent, daemon=True).start()


def exit_with_named_parent() -> None:
    """Call :func:`exit_with_parent` if the parent asks for it by ``PARENT``."""
    if os.environ.get(PARENT) == str(os.getppid()):
        exit_with_parent()


def _exit_after_parent() -> None:
    starter = multiprocessing.parent_process()
    if starter is not None:
        # The parent may be a server of forks, which outlives the process that matters.
        starter.join()
    else:
        parent = os.getppid()
        while os.getppid() == parent:
            time.sleep(_SECONDS)
    os._exit(1)
