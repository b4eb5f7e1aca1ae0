"""What can go wrong, sorted by how far the failure reaches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainstem.job import Job


class MainstemError(RuntimeError):
    """Base of all errors that the engine reports."""

    #: "row", "job", "retry", "region" or "cancelled"
    error_class: str = "job"

    #: The job that failed, where one had started.
    job: Job | None = None


class JobError(MainstemError):
    """The job cannot succeed: a wrong option, a missing dependency, a full disk."""


class PlanError(JobError):
    """The plan itself is wrong: an unknown column or function, types that do not fit. Nothing has run."""


class NotSupportedError(PlanError):
    """The request is understood, and Mainstem does not do it. The message says what does."""


class RowError(MainstemError):
    """One row's data is at fault and the call's ``on_error`` is ``"raise"``."""

    error_class = "row"


class RetryError(MainstemError):
    """Something outside was busy or away, and stayed so through all attempts."""

    error_class = "retry"


class RegionError(MainstemError):
    """A part of the job had to restart, and could not."""

    error_class = "region"


class CancelledError(MainstemError):
    """Somebody asked the job to stop."""

    error_class = "cancelled"


_BY_CLASS: dict[str, type[MainstemError]] = {
    "row": RowError,
    "job": JobError,
    "retry": RetryError,
    "region": RegionError,
    "cancelled": CancelledError,
}


@contextmanager
def translated(*, planning: bool = False) -> Iterator[None]:
    """Turns the native module's errors into ours; while planning, a job error is a plan error."""
    try:
        yield
    except MainstemError:
        raise
    except Exception as error:
        error_class = getattr(error, "error_class", None)
        if not isinstance(error_class, str):
            raise
        kind = _BY_CLASS.get(error_class, JobError)
        if planning and kind in (JobError, RowError):
            kind = PlanError
        raise kind(str(error)) from None
