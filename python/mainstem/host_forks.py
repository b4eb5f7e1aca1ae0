"""The warm parent of Python workers: it has imported what every worker needs and forks one for each request.

Starting an interpreter and importing pyarrow takes each worker a tenth of a second of a processor and more; a fork
takes milliseconds, and the pages of the imports are shared. The other side is ``src/mainstem/platform/fork_server.h``.

A worker has to be a child of the engine, which waits for it, and not of this process. Only clone(2) with CLONE_PARENT
does that. What ``os.fork`` does around the system call, Python's own functions do here; what the C library does there
is for threads, and this process has none (see ``is_single_threaded``).
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import os
import signal
import socket

CLONE_PARENT = 0x8000
#: The number of clone(2), which has its flags first on both.
SYS_CLONE = {"x86_64": 56, "aarch64": 220}
TEXT_BYTES_MAX = 4096
DESCRIPTORS_MAX = 4
#: Above every number that a worker is given.
SOURCE_FD_MIN = 64


def is_single_threaded() -> bool:
    """Threads do not survive a fork: where a library has made some, workers are better started in the usual way."""
    return len(os.listdir("/proc/self/task")) == 1


def fork_sibling() -> int:
    """Like os.fork, but the new process is a child of this one's parent."""
    c = ctypes.PyDLL(None)  # keeps the interpreter's lock
    python = ctypes.pythonapi
    arguments = [SYS_CLONE[os.uname().machine], CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0]
    python.PyOS_BeforeFork()
    process: int = c.syscall(*map(ctypes.c_long, arguments))
    if process == 0:
        python.PyOS_AfterFork_Child()
    else:
        python.PyOS_AfterFork_Parent()
    return process


def serve_forks(control: socket.socket) -> None:
    """Returns in each worker, which then is as if it had just been started; never in this process."""
    if not is_single_threaded() or os.uname().machine not in SYS_CLONE:
        os._exit(0)
    gc.collect()
    gc.freeze()  # pages that the collector does not write stay shared
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, TEXT_BYTES_MAX, DESCRIPTORS_MAX)
        if not data:
            os._exit(0)
        ready, tell_ready = os.pipe()
        process = fork_sibling()
        if process == 0:
            os.setsid()
            os.write(tell_ready, b".")
            os.close(ready)
            os.close(tell_ready)
            control.close()
            become(data.decode(), descriptors)
            return
        for descriptor in [*descriptors, tell_ready]:
            os.close(descriptor)
        # From here on the engine may kill the worker's session.
        told = process > 0 and os.read(ready, 1)
        os.close(ready)
        if not told:
            os._exit(0)
        control.send(str(process).encode())


def become(text: str, descriptors: list[int]) -> None:
    """Gives this process the descriptors under their numbers, its own variable, and the engine's folder."""
    numbers, _, variable = text.partition("\n")
    raised = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, SOURCE_FD_MIN) for descriptor in descriptors]
    for descriptor in descriptors:
        os.close(descriptor)
    for descriptor, number in zip(raised, numbers.split(), strict=True):
        os.dup2(descriptor, int(number))
        os.close(descriptor)
    name, _, value = variable.partition("=")
    os.environ[name] = value
    os.chdir(f"/proc/{os.getppid()}/cwd")
