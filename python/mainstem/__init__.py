"""Mainstem: pipelines over images, audio, video, documents and tables, with models and your own Python.

import mainstem as ms
from mainstem import col

photos = ms.read_files("photos/**/*.jpg").with_column("image", col("file").image.decode())
photos.write_parquet("out/photos")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: Where each public name lives. Modules are imported on first use, so that ``import mainstem`` is fast.
_HOMES = {
    "mainstem.aggregates": ("AggregateExpression", "count"),
    "mainstem.settings": ("config",),
    "mainstem.dataframe": ("DataFrame",),
    "mainstem.datatype": ("DataType", "ImageMode"),
    "mainstem.errors": (
        "CancelledError",
        "JobError",
        "MainstemError",
        "NotSupportedError",
        "PlanError",
        "RegionError",
        "RetryError",
        "RowError",
    ),
    "mainstem.expressions": ("Expression", "call", "coalesce", "col", "lit", "when"),
    "mainstem.grouped": ("GroupedDataFrame",),
    "mainstem.io": (
        "from_arrow",
        "from_dict",
        "from_pandas",
        "from_records",
        "range",
        "read_csv",
        "read_datagen",
        "read_files",
        "read_json",
        "read_parquet",
        "read_video_frames",
    ),
    "mainstem.job": ("Job",),
    "mainstem.checkpoint": ("Checkpoint",),
    "mainstem.journal": ("Journal",),
    "mainstem.results": ("Row", "Rows"),
    "mainstem.schema": ("Schema",),
    "mainstem.sink": ("Sink", "SinkJob", "SinkWriter"),
    "mainstem.user_function": ("UserFunction", "udf", "udtf"),
    "mainstem.window": ("Window", "row_number"),
    "mainstem.values": ("Audio", "AudioClip", "File", "Image", "VideoClip"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [*sorted(_HOME_OF), "__version__", "ai"]


def __getattr__(name: str) -> Any:
    if name == "ai":
        from mainstem.accessors import FunctionNamespace

        value: Any = FunctionNamespace("ai")
    elif name in _HOME_OF:
        value = getattr(importlib.import_module(_HOME_OF[name]), name)
    else:
        try:
            return importlib.import_module(f"mainstem.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"mainstem.{name}":
                raise
        import difflib

        near = difflib.get_close_matches(name, __all__, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise AttributeError(f"mainstem has no '{name}'.{hint}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if TYPE_CHECKING:
    from mainstem._functions import AiFunctions
    from mainstem.aggregates import AggregateExpression as AggregateExpression
    from mainstem.aggregates import count as count
    from mainstem.checkpoint import Checkpoint as Checkpoint
    from mainstem.dataframe import DataFrame as DataFrame
    from mainstem.datatype import DataType as DataType
    from mainstem.datatype import ImageMode as ImageMode
    from mainstem.errors import CancelledError as CancelledError
    from mainstem.errors import JobError as JobError
    from mainstem.errors import MainstemError as MainstemError
    from mainstem.errors import NotSupportedError as NotSupportedError
    from mainstem.errors import PlanError as PlanError
    from mainstem.errors import RegionError as RegionError
    from mainstem.errors import RetryError as RetryError
    from mainstem.errors import RowError as RowError
    from mainstem.expressions import Expression as Expression
    from mainstem.expressions import call as call
    from mainstem.expressions import coalesce as coalesce
    from mainstem.expressions import col as col
    from mainstem.expressions import lit as lit
    from mainstem.expressions import when as when
    from mainstem.grouped import GroupedDataFrame as GroupedDataFrame
    from mainstem.io import from_arrow as from_arrow
    from mainstem.io import from_dict as from_dict
    from mainstem.io import from_pandas as from_pandas
    from mainstem.io import from_records as from_records
    from mainstem.io import range as range
    from mainstem.io import read_csv as read_csv
    from mainstem.io import read_datagen as read_datagen
    from mainstem.io import read_files as read_files
    from mainstem.io import read_json as read_json
    from mainstem.io import read_parquet as read_parquet
    from mainstem.io import read_video_frames as read_video_frames
    from mainstem.job import Job as Job
    from mainstem.journal import Journal as Journal
    from mainstem.results import Row as Row
    from mainstem.results import Rows as Rows
    from mainstem.schema import Schema as Schema
    from mainstem.settings import config as config
    from mainstem.sink import Sink as Sink
    from mainstem.sink import SinkJob as SinkJob
    from mainstem.sink import SinkWriter as SinkWriter
    from mainstem.user_function import UserFunction as UserFunction
    from mainstem.user_function import udf as udf
    from mainstem.user_function import udtf as udtf
    from mainstem.values import Audio as Audio
    from mainstem.values import AudioClip as AudioClip
    from mainstem.values import File as File
    from mainstem.values import Image as Image
    from mainstem.values import VideoClip as VideoClip
    from mainstem.window import Window as Window
    from mainstem.window import row_number as row_number

    ai: AiFunctions
