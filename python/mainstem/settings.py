"""Config: settings of this process: ``ms.config.set("memory_budget", "512MB")``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from mainstem.suggestion import suggestion_or_list


@dataclass(frozen=True)
class Setting:
    """One setting: what it takes and what it does."""

    types: tuple[type, ...]
    doc: str


_NOT_THE_ENGINES = ("journal", "progress", "watchdog")

#: Every setting. Those that are not set are left to the engine's defaults.
SETTINGS: dict[str, Setting] = {
    "memory_budget": Setting((str, int), "Memory of the process and its workers: '512MB', '4GB' or bytes."),
    "parallelism": Setting((int,), "Subtasks that each step may use; the number of processors unless set."),
    "autoscaler.max_parallelism": Setting(
        (int,),
        "Subtasks of sources and of steps behind an exchange by keys come and go, up to so many. Unset: they do not.",
    ),
    "autoscaler.min_parallelism": Setting((int,), "No fewer than these are left."),
    "autoscaler.interval": Setting((str, int, float), "Seconds, or '5s', between two changes of one step."),
    "journal": Setting(
        (str, os.PathLike), "A Journal, or a folder, where finished replies are kept, for every job of the process."
    ),
    "progress": Setting((bool,), "Show live progress. Unless set: where the error stream is a terminal."),
    "watchdog": Setting(
        (str, int, float), "Seconds, or '60s', without progress after which a job says what it waits for."
    ),
    "log_level": Setting((str,), "'debug', 'info', 'warning' or 'error'."),
    "fetch.max_in_flight": Setting((int,), "Requests open at once."),
    "fetch.max_in_flight_per_host": Setting((int,), "Requests open at once to one host."),
    "fetch.max_bytes_in_flight": Setting((str, int), "Bytes received and not yet used."),
    "fetch.max_file_bytes": Setting((str, int), "A larger file fails as a row."),
    "fetch.connect_timeout": Setting((str, int, float), "Seconds, or '10s', until a connection must stand."),
    "fetch.stall_timeout": Setting((str, int, float), "Seconds, or '30s', without a byte."),
    "fetch.total_timeout": Setting((str, int, float), "Seconds, or '10min', for one file."),
    "fetch.max_attempts": Setting((int,), "Attempts for a busy server or a dropped connection."),
    "fetch.max_redirects": Setting((int,), "Redirects that one request may follow."),
    "fetch.allow_private_addresses": Setting((bool,), "Allow loopback, private and link-local addresses."),
}


class Config:
    """Settings of this process. A job takes those that stand when it starts."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def set(self, name: str, value: Any) -> None:
        """Sets one setting; ``None`` goes back to the default."""
        setting = self._setting(name)
        if value is None:
            self._values.pop(name, None)
            return
        fits = isinstance(value, setting.types) and (not isinstance(value, bool) or bool in setting.types)
        if not fits:
            wanted = " or ".join(kind.__name__ for kind in setting.types)
            raise TypeError(f"config '{name}' takes {wanted}, not {value!r}. {setting.doc}")
        self._values[name] = value

    def get(self, name: str) -> Any:
        """Returns a setting, or ``None`` where the engine's default stands."""
        self._setting(name)
        return self._values.get(name)

    def reset(self) -> None:
        """Goes back to the defaults."""
        self._values.clear()

    def engine_options(self) -> dict[str, Any]:
        """What the engine is created with; those with a dot stand in an object of their group."""
        options: dict[str, Any] = {}
        for name, value in sorted(self._values.items()):
            if name in _NOT_THE_ENGINES:
                continue
            group, dot, inside = name.partition(".")
            if dot:
                options.setdefault(group, {})[inside] = value
            else:
                options[name] = value
        return options

    def __repr__(self) -> str:
        lines = [f"  {name} = {self._values.get(name, '(default)')!r:14}  {s.doc}" for name, s in SETTINGS.items()]
        return "\n".join(["mainstem.settings", *lines])

    @staticmethod
    def _setting(name: str) -> Setting:
        if name not in SETTINGS:
            raise KeyError(f"there is no setting '{name}'.{suggestion_or_list(name, SETTINGS)}")
        return SETTINGS[name]


config = Config()
