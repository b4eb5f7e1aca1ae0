"""The model store: which models there are, and where their files lie.

Models are never downloaded: they come from installed packages or from a path of yours.
"""

from __future__ import annotations

from typing import Any

from .catalogue import CATALOGUE
from .errors import MissingPackageError, ModelError
from .inspection import describe
from .store import cache_folder, installed, resolve

__all__ = ["MissingPackageError", "ModelError", "cache_folder", "describe", "list", "resolve"]


def list() -> Any:
    """Returns the models known by name, with tasks, version, licence, packages and whether they are installed."""
    return [
        {
            "name": entry.name,
            "tasks": [*entry.tasks],
            "version": entry.version,
            "licence": entry.licence,
            "packages": sorted({source.package for source in entry.sources.values()}),
            "installed": installed(entry),
            "doc": entry.doc,
        }
        for entry in CATALOGUE.values()
    ]
