"""Child processes that do not outlive their parent, where the kernel can see to it (Linux)."""

import os
import signal
import sys
import threading
from collections.abc import Sequence

# prctl(PR_SET_PDEATHSIG) survives exec; the parent may be gone before it is set, so its id is compared after.
_SHIM = """\
import ctypes, os, sys
parent, number, *argv = sys.argv[1:]
ctypes.CDLL(None).prctl(1, int(number))
if os.getppid() == int(parent):
    os.execvp(argv[0], argv)
"""


def dies_with_parent(argv: Sequence[str], sign: signal.Signals) -> list[str]:
    """A command line that runs `argv` and gets `sign` when the process that starts it dies.

    The process id stays that of the command. Returns `argv` alone where this is not possible: on other systems,
    and in another thread than the main one, since the kernel looks at the thread that started the child.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return list(argv)
    return [sys.executable, "-I", "-S", "-c", _SHIM, str(os.getpid()), str(int(sign)), *argv]
