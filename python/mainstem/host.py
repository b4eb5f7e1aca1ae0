"""The replica's side of a Python service: a program that runs user code on batches of rows.

The engine starts it as ``python …/mainstem/host.py`` with the number of a control socket in the environment variable
``MAINSTEM_CONTROL_FD``. Every worker process pays for what is imported here: pyarrow, and nothing else of weight before
user code asks for it. Python compiles a program at every start and modules once, so only the loop is in this file.

The messages are those of ``src/mainstem/services/protocol.h``; batches lie in shared memory as Arrow IPC messages.

The payload of a service is a cloudpickle of a dict::

    callable      a function, an async function, a callable object, or a class (see is_class)
    kind          "scalar"       one value for the values of a row's columns, given by position
                  "map"          a dict for the dict of a row
                  "map_batches"  a dict of columns for a dict of columns (or whatever the form makes of columns)
                  "table"        any number of results for the values of a row's columns (a generator, a list)
                  "flat_map"     any number of results for the dict of a row
    form          "general"      Python values, row by row
                  "pandas"       pandas.Series
                  "arrow"        pyarrow.Array
                  "numpy"        numpy.ndarray
                  optional: the form of the service otherwise; table and flat_map know "general" only
    is_class      true: callable(*init_args, **init_kwargs) is built once on the worker, then called;
                  optional, as are init_args and init_kwargs
    concurrency   how many rows of an async function run at once, optional, 64
    values        optional: extension name -> function that makes the user's value of a multimodal column's value,
                  e.g. {"mainstem.image": lambda array, mode: Image(array, mode)}

In the general form multimodal values are: images numpy arrays (height, width, channels), tensors and vectors numpy
arrays, audio a dict whose "data" is a numpy array (frames, channels), files and clips dicts. The same are taken back,
and PIL images and objects with data and mode for images, uri strings for files.

A row that raises fails alone. Where a whole batch raises, the engine halves it until the row at fault is found.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # The folder of this file must not shadow the standard library (mainstem/types.py and the like). The one above it
    # comes last: that is where the package is, if it is nowhere else.
    del sys.path[0]
    sys.path.append(__file__.rsplit("/", 2)[0])
    import os

    # Workers are what runs side by side: one that also had a thread of numpy's linear algebra for each processor would
    # fight with the others for them, and each start would pay for the threads. Whoever wants them sets a variable. The
    # allocator's thread serves a memory pool that is not used; without threads, this process can be forked.
    quiet = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
    if {"GOTO_NUM_THREADS", "OMP_NUM_THREADS"} & set(os.environ):
        del quiet["OPENBLAS_NUM_THREADS"]
    for name in quiet.keys() & set(os.environ):
        del quiet[name]
    os.environ.update(quiet)  # read by the libraries when they are imported

import io
import json
import mmap
import os
import socket
import struct
import time
import traceback

import pyarrow as pa

if __name__ == "__main__":
    for name in quiet:
        del os.environ[name]  # what the user's code starts decides for itself

from mainstem.host_failures import Failures, RowsFailed, ServiceFailed, describe
from mainstem.host_runner import Runner

HEADER = struct.Struct("<IIQIIqqqq")
SETUP, READY, LOAD_FAILED, CALL, REPLY, GROW, REPLY_ARENA = range(1, 8)
NEW_REQUEST_ARENA, NEW_REPLY_ARENA, CAREFUL, KEPT, PERMANENT, REFUSED = 1, 2, 4, 8, 16, 32
ERROR_ROW, ERROR_JOB = 1, 2
REPLY_OFFSET = 64
PACKET_BYTES_MAX = 64 * 1024

#: The fields of the header, the text behind it, descriptors.
Message = tuple[tuple[int, ...], bytes, list[int]]


class Slot:
    """One of the two places where a batch and its reply lie."""

    def __init__(self) -> None:
        self.request = memoryview(b"")
        self.reply = memoryview(b"")
        self.progress = memoryview(bytearray(8)).cast("q")

    def take_request_arena(self, fd: int) -> None:
        self.request = memoryview(map_region(fd, mmap.PROT_READ))

    def take_reply_arena(self, fd: int) -> None:
        self.reply = memoryview(map_region(fd, mmap.PROT_READ | mmap.PROT_WRITE))
        self.progress = self.reply[:8].cast("q")


def map_region(fd: int, protection: int) -> mmap.mmap:
    try:
        return mmap.mmap(fd, os.fstat(fd).st_size, flags=mmap.MAP_SHARED, prot=protection)
    finally:
        os.close(fd)


class Host:
    """The engine's partner at the control socket."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.waiting: list[Message] = []
        self.slots = [Slot(), Slot()]
        self.schema_bytes = 0
        self.options = pa.ipc.IpcWriteOptions(use_threads=False)

    def receive(self) -> Message | None:
        """Returns the next message, its text and its descriptors, or None when the engine has gone."""
        if self.waiting:
            return self.waiting.pop(0)
        return self.receive_now()

    def receive_now(self) -> Message | None:
        try:
            data, fds, _, _ = socket.recv_fds(self.control, PACKET_BYTES_MAX, 4)
        except ConnectionResetError:
            return None
        if not data:
            return None
        for fd in fds:
            os.set_inheritable(fd, False)
        return HEADER.unpack_from(data), data[HEADER.size :], list(fds)

    def send(
        self,
        kind: int,
        flags: int = 0,
        call: int = 0,
        slot: int = 0,
        error: int = 0,
        rows_offset: int = 0,
        rows_bytes: int = 0,
        failures_bytes: int = 0,
        busy_ns: int = 0,
        text: str = "",
    ) -> None:
        data = HEADER.pack(kind, flags, call, slot, error, rows_offset, rows_bytes, failures_bytes, busy_ns)
        try:
            self.control.send(data + text.encode("utf-8", "replace")[: PACKET_BYTES_MAX // 2])
        except (BrokenPipeError, ConnectionResetError):
            raise SystemExit(0) from None  # the job is over: nobody waits for this any more

    def set_up(self) -> Runner | None:
        """Loads the user's code; None when it cannot be, or the engine has gone."""
        message = self.receive()
        if message is None:
            return None
        region = map_region(message[2][0], mmap.PROT_READ)
        lengths = struct.unpack_from("<4q", region, 0)
        parts, offset = [], 32
        for length in lengths:
            parts.append(region[offset : offset + length])
            offset += length
        try:
            import pickle

            import cloudpickle  # noqa: F401  some pickles need it to be importable, and say so badly

            payload = pickle.loads(parts[3])
        except BaseException as error:
            self.fail_load(error, "its code cannot be loaded in a worker process", PERMANENT)
            return None
        try:
            inputs, outputs = (pa.ipc.read_schema(pa.py_buffer(part)) for part in parts[1:3])
            runner = Runner(json.loads(parts[0]), inputs, outputs, payload)
        except ServiceFailed as error:
            self.send(LOAD_FAILED, flags=PERMANENT, text=str(error))
            return None
        except Exception as error:
            self.fail_load(error, "its object cannot be built in a worker process", 0)
            return None
        self.schema_bytes = runner.reply_schema.serialize().size
        self.send(READY)
        return runner

    def fail_load(self, error: BaseException, what: str, flags: int) -> None:
        traceback.print_exception(type(error), error, error.__traceback__)
        sys.stderr.flush()
        self.send(LOAD_FAILED, flags=flags, text=f"{what}: {describe(error)}")

    def serve(self, runner: Runner) -> None:
        while True:
            message = self.receive()
            if message is None:
                return
            (kind, flags, call, slot, _, _, rows_bytes, _, _), _, fds = message
            if kind != CALL:
                raise RuntimeError(f"a message of kind {kind} out of turn")
            place = self.slots[slot]
            if flags & NEW_REQUEST_ARENA:
                place.take_request_arena(fds.pop(0))
            if flags & NEW_REPLY_ARENA:
                place.take_reply_arena(fds.pop(0))
            runner.progress = place.progress if flags & CAREFUL else None
            self.answer(runner, place, call, slot, rows_bytes)

    def answer(self, runner: Runner, place: Slot, call: int, slot: int, rows_bytes: int) -> None:
        place.progress[0] = -1
        view = place.request[:rows_bytes]
        start = time.monotonic_ns()
        failed, text = 0, ""
        try:
            reply, failures = self.work(runner, view)
        except RowsFailed as error:
            failed, text = ERROR_ROW, str(error)
        except ServiceFailed as error:
            failed, text = ERROR_JOB, str(error)
        busy_ns = time.monotonic_ns() - start
        try:
            view.release()
            kept = 0
        except BufferError:
            kept = KEPT  # the user's code holds on to values of this batch: the memory must not be written again
        if failed:
            self.send(REPLY, kept, call, slot, failed, busy_ns=busy_ns, text=text)
        else:
            self.reply(place, call, slot, kept, busy_ns, reply, failures)

    def work(self, runner: Runner, view: memoryview) -> tuple[pa.RecordBatch, Failures]:
        batch = pa.ipc.read_record_batch(pa.py_buffer(view), runner.input)
        try:
            return runner.run(batch)
        except (RowsFailed, ServiceFailed):
            raise
        except Exception as error:
            traceback.print_exception(type(error), error, error.__traceback__)
            raise ServiceFailed(f"a batch cannot be converted: {describe(error)}") from None

    def reply(
        self, place: Slot, call: int, slot: int, kept: int, busy_ns: int, rows: pa.RecordBatch, failures: Failures
    ) -> None:
        listed = json.dumps(sorted(failures.items())).encode() if failures else b""
        rows_bytes = pa.ipc.get_record_batch_size(rows)
        needed = REPLY_OFFSET + self.schema_bytes + rows_bytes + len(listed) + 64
        if needed > place.reply.nbytes and not self.grow(place, call, slot, needed):
            text = f"the reply to {rows.num_rows} rows has {needed} bytes, which is over the limit"
            self.send(REPLY, kept, call, slot, ERROR_ROW, busy_ns=busy_ns, text=text)
            return
        # A stream is what pyarrow writes in place; its schema, which comes first, is left out of the reply.
        sink = pa.FixedSizeBufferWriter(pa.py_buffer(place.reply[REPLY_OFFSET:]))
        pa.ipc.new_stream(sink, rows.schema, options=self.options).write_batch(rows)
        end = REPLY_OFFSET + sink.tell()
        place.reply[end : end + len(listed)] = listed
        self.send(REPLY, kept, call, slot, 0, end - rows_bytes, rows_bytes, len(listed), busy_ns)

    def grow(self, place: Slot, call: int, slot: int, needed: int) -> bool:
        self.send(GROW, 0, call, slot, rows_bytes=needed)
        while True:
            message = self.receive_now()
            if message is None:
                os._exit(0)
            if message[0][0] != REPLY_ARENA:
                self.waiting.append(message)
                continue
            if message[0][1] & REFUSED:
                return False
            place.take_reply_arena(message[2][0])
            return True


def fork_server(number: int) -> None:
    """Makes this process the warm parent of workers; returns in each of those."""
    os.set_inheritable(number, False)
    try:
        import faulthandler  # noqa: F401  what a worker imports in any case
        import inspect  # noqa: F401
        import pickle  # noqa: F401

        import cloudpickle  # noqa: F401

        from mainstem.host_forks import serve_forks
        from mainstem.host_runner import PandasIsLate
    except ImportError:
        os._exit(0)  # a worker that is started in the usual way says what is missing
    PandasIsLate()
    serve_forks(socket.socket(fileno=number))


def die_with_parent() -> None:
    """Asks the kernel to end this process when the engine does, whatever the user's code is doing then."""
    try:
        import ctypes
        import signal

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    except (OSError, AttributeError):
        pass  # the end of the control socket ends this process, too, between two batches


def main() -> int:
    import faulthandler

    if "MAINSTEM_FORK_FD" in os.environ:
        fork_server(int(os.environ.pop("MAINSTEM_FORK_FD")))
    parent = os.getppid()
    die_with_parent()
    faulthandler.enable()
    number = int(os.environ.pop("MAINSTEM_CONTROL_FD"))
    os.set_inheritable(number, False)
    control = socket.socket(fileno=number)
    if os.getppid() != parent:
        return 0
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    host = Host(control)
    runner = host.set_up()
    if runner is None:
        return 1
    host.serve(runner)
    del runner  # with the user's object
    leave()
    return 0


def leave() -> None:
    """Ends this process as the interpreter would, but for taking apart what the kernel frees anyway: the job waits."""
    import atexit
    import threading

    threading._shutdown()  # type: ignore[attr-defined]  # waits for the user's threads
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
