"""Schema: names and types of a data frame's columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mainstem.datatype import DataType
from mainstem.suggestion import suggestion_or_list

if TYPE_CHECKING:
    import pyarrow as pa


class Schema(Mapping[str, DataType]):
    """Column names and their types, in order: ``df.schema["image"]``."""

    def __init__(self, arrow: pa.Schema) -> None:
        self._arrow = arrow
        self._types = {field.name: DataType.from_arrow(field) for field in arrow}

    @classmethod
    def from_native(cls, native: Any) -> Schema:
        """Reads what has ``__arrow_c_schema__``."""
        import pyarrow as pa

        import mainstem.arrow_types  # noqa: F401 - extension types must be known before a schema is read

        return cls(pa.schema(native))

    @property
    def names(self) -> list[str]:
        return list(self._types)

    def to_arrow(self) -> pa.Schema:
        """pyarrow's schema; multimodal types are extension types."""
        return self._arrow

    def __getitem__(self, name: str) -> DataType:
        if name not in self._types:
            raise KeyError(f"there is no column '{name}'.{suggestion_or_list(name, self._types)}")
        return self._types[name]

    def __contains__(self, name: object) -> bool:
        return name in self._types

    def __iter__(self) -> Iterator[str]:
        return iter(self._types)

    def __len__(self) -> int:
        return len(self._types)

    def __repr__(self) -> str:
        width = max((len(name) for name in self._types), default=0)
        return "\n".join(f"{name:{width}}  {kind}" for name, kind in self._types.items()) or "(no columns)"
