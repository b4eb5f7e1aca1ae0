"""Sinks of your own: where rows go, staged while the job runs and visible when a commit covers them.

The words are Flink's: a ``Sink`` opens ``SinkWriter``s; what these prepare is committed by the sink.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import json
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import pyarrow as pa

    from mainstem.job import Job

#: What names something staged: bytes, or anything that ``json`` writes and reads back equal.
Committable: TypeAlias = Any


@dataclass(frozen=True)
class SinkJob:
    """The job that writes.

    ``id``: letters, digits, "-" and "_"; its attempts are named ``<id>.<n>``, n grows with every restart.
    ``checkpoint_folder``: where its checkpoints are; None for a job that cannot be resumed."""

    id: str
    checkpoint_folder: str | None = None


class SinkWriter(ABC):
    """Writes the rows of one lane. One thread at a time, not always the same one."""

    @abstractmethod
    def write(self, batch: pa.RecordBatch) -> None:
        """Stages the rows. They may be kept: nobody changes them."""

    @abstractmethod
    def prepare(self) -> Sequence[Committable]:
        """Closes what was staged since the last ``prepare`` and names it. Called at each checkpoint and at the end;
        rows may come afterwards. Quick: what takes long belongs into ``Sink.make_durable``."""


class Sink(ABC):
    """Where the rows of ``DataFrame.write_sink`` go.

    ``open`` gives each lane a writer of its own; lanes write at the same time, on threads of the engine. All other
    methods are called on this one object by one thread at a time, while writers may be writing. The order:

    * a job without checkpoints: ``begin``, ``open`` …, ``prepare`` …, ``make_durable``, ``commit``, ``finish``;
    * with checkpoints: ``begin``, ``open`` …, then for each checkpoint ``prepare`` …, ``make_durable``, ``commit``;
      after the last one ``finish``;
    * run again after a crash: ``restore``, ``commit`` of what was pending, then as above;
    * gone back to a checkpoint before some commits (the newest is damaged, or ``from_`` says so): ``withdraw``, then as
      after a crash;
    * failed or cancelled for good: ``abort``.

    Rows are exactly once where three things hold: what is staged is not visible; what ``make_durable`` has returned
    from survives; ``commit`` shows all of it or none and, given again, does nothing. After a crash each method may be
    called again. What a method raises fails the job (an ``ms.RetryError`` lets it try again where it may), with the
    name of the sink."""

    def begin(self, job: SinkJob) -> None:  # noqa: B027 - most sinks have nothing to do here
        """Before a job that starts at its beginning: the place to check what is there. What an earlier start of the
        same job has staged (it died before its first checkpoint) can go."""

    def restore(self, job: SinkJob, pending: Sequence[Committable]) -> None:  # noqa: B027
        """Before a job that goes on from a checkpoint. ``pending`` is what the checkpoint covers, committed or not;
        ``commit`` follows with it. Whatever else earlier attempts of the job have staged can go."""

    def withdraw(self, job: SinkJob, shown: Sequence[Committable], kept: Sequence[Committable]) -> None:
        """Takes out of sight what commits have shown, or would have: the job goes back to a checkpoint before them and
        makes the rows again. What is also ``kept`` must be as it was before its commit: ``restore`` and, some time,
        ``commit`` follow with it. Like each method it may be called again. A sink that does not define it refuses; the
        job then does not go back."""
        raise NotImplementedError("it cannot take back what it has shown: it has no withdraw()")

    @abstractmethod
    def open(self, lane: int, attempt: str) -> SinkWriter:
        """A writer for one of the lanes that write at the same time. A lane may be opened again when its last writer is
        not used any more. Names of what is staged should begin with the attempt's, so that they can be found, and have
        a random part, so that no two writers use the same: attempts of a job whose checkpoints were removed are
        counted from the start."""

    def make_durable(self, committables: Sequence[Committable]) -> None:  # noqa: B027
        """Makes what is named survive a crash. The checkpoint that names it is written afterwards. On a thread of its
        own, while rows are written."""

    @abstractmethod
    def commit(self, committables: Sequence[Committable]) -> None:
        """Makes everything named visible, all or nothing. Called again with the same, or with less or more of what was
        prepared since, it shows nothing twice."""

    def finish(self, job: SinkJob) -> None:  # noqa: B027
        """After the last commit: what ``restore`` would need can be forgotten."""

    def abort(self, job: SinkJob) -> None:  # noqa: B027
        """Removes what any attempt of the job has staged and not committed."""


class SinkCalls:
    """A sink as the engine calls it: committables are texts, batches anything with ``__arrow_c_array__``.

    The engine's job holds it, and a script's names hold the job: a circle that Python's collector cannot see. So it
    lets go of what is the user's as soon as the job has ended."""

    def __init__(self, sink: Sink) -> None:
        self.name = type(sink).__name__
        self._given: Sink | None = sink
        self._writers: weakref.WeakSet[WriterCalls] = weakref.WeakSet()
        self._folders: dict[str, str] = {}

    def begin(self, job: str, checkpoint_folder: str) -> None:
        self._sink.begin(self._job(job, checkpoint_folder))

    def restore(self, job: str, checkpoint_folder: str, pending: list[str]) -> None:
        self._sink.restore(self._job(job, checkpoint_folder), [read_committable(text) for text in pending])

    def withdraw(self, job: str, checkpoint_folder: str, shown: list[str], kept: list[str]) -> None:
        given = self._job(job, checkpoint_folder)
        self._sink.withdraw(
            given, [read_committable(text) for text in shown], [read_committable(text) for text in kept]
        )

    def open(self, lane: int, attempt: str) -> WriterCalls:
        writer = self._sink.open(lane, attempt)
        if not hasattr(writer, "write") or not hasattr(writer, "prepare"):
            raise TypeError(f"open() must return a SinkWriter, not {type(writer).__name__}")
        calls = WriterCalls(writer)
        self._writers.add(calls)
        return calls

    def make_durable(self, committables: list[str]) -> None:
        self._sink.make_durable([read_committable(text) for text in committables])

    def commit(self, committables: list[str]) -> None:
        self._sink.commit([read_committable(text) for text in committables])

    def finish(self, job: str) -> None:
        self._sink.finish(self._job(job))
        self.let_go()

    def abort(self, job: str) -> None:
        try:
            self._sink.abort(self._job(job))
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Nothing is called any more."""
        self._given = None
        for writer in self._writers:
            writer.let_go()

    @property
    def _sink(self) -> Sink:
        if self._given is None:
            raise RuntimeError("the job that wrote into it has ended")
        return self._given

    def _job(self, job: str, checkpoint_folder: str = "") -> SinkJob:
        folder = self._folders.setdefault(job, checkpoint_folder)
        return SinkJob(job, folder or None)


class WriterCalls:
    """A writer as the engine calls it."""

    def __init__(self, writer: SinkWriter) -> None:
        self._given: SinkWriter | None = writer

    def write(self, batch: Any) -> None:
        import pyarrow as pa

        import mainstem.arrow_types  # noqa: F401 - extension types must be known before a batch is read

        self._writer.write(pa.record_batch(batch))

    def prepare(self) -> list[str]:
        return [write_committable(committable) for committable in self._writer.prepare()]

    def let_go(self) -> None:
        self._given = None

    @property
    def _writer(self) -> SinkWriter:
        if self._given is None:
            raise RuntimeError("the job that it wrote for has ended")
        return self._given


#: Jobs whose sinks are called on threads of the engine, which cannot run Python any more once the interpreter ends.
_running: weakref.WeakKeyDictionary[Job, SinkCalls] = weakref.WeakKeyDictionary()
_END_S_MAX = 60.0


def end_before_interpreter(job: Job, calls: SinkCalls) -> None:
    """Has a job that still runs when the script ends cancelled, while its sink can still abort."""
    if not _running:
        atexit.unregister(_end_running)
        atexit.register(_end_running)
    _running[job] = calls


def _end_running() -> None:
    deadline = time.monotonic() + _END_S_MAX
    jobs = [job for job in _running if not job.finished]
    for job in jobs:
        job.cancel()
    for job in jobs:
        # What it failed of is nobody's concern any more.
        with contextlib.suppress(Exception):
            while not job._native.wait(0.1) and time.monotonic() < deadline:
                pass
    for calls in _running.values():
        calls.let_go()


def write_committable(committable: Committable) -> str:
    """A committable as text, for checkpoints."""
    if isinstance(committable, (bytes, bytearray, memoryview)):
        return json.dumps({"bytes": base64.b64encode(committable).decode("ascii")})
    try:
        return json.dumps({"json": committable}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f"prepare() must return bytes or JSON's values, not {committable!r:.200} ({error})") from None


def read_committable(text: str) -> Committable:
    """The committable of a text that ``write_committable`` made."""
    held = json.loads(text)
    return base64.b64decode(held["bytes"]) if "bytes" in held else held["json"]
