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
    _watch(os.getppid())


def exit_with_named_parent() -> None:
    """Call :func:`exit_with_parent` if the parent asks for it by ``PARENT``.

    If the process of that number has ended already, this one ends at once.
    """
    named = os.environ.get(PARENT, '')
    if not named.isdigit():
        return
    if not _exists(int(named)):
        os._exit(1)
    if os.getppid() == int(named):
        _watch(int(named))


def _watch(parent: int) -> None:
    threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()


def _exit_after(parent: int) -> None:
    starter = multiprocessing.parent_process()
    if starter is not None:
        # The parent may be a server of forks, which outlives the process that matters.
        starter.join()
    else:
        while os.getppid() == parent:
            time.sleep(_SECONDS)
    os._exit(1)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
