"""What goes wrong with models, as one kind of exception."""

from __future__ import annotations


class ModelError(RuntimeError):
    """A model cannot be used; the message says what to do."""


class MissingPackageError(ModelError):
    """The package that carries a model is not installed."""
