"""Types and values. Importing this module makes Mainstem's types known to pyarrow."""

from __future__ import annotations

from mainstem.arrow_types import (
    AudioClipType,
    AudioType,
    FileType,
    ImageType,
    TensorType,
    VectorType,
    VideoClipType,
)
from mainstem.datatype import DataType, ImageMode
from mainstem.values import Audio, AudioClip, File, Image, VideoClip

__all__ = [
    "Audio",
    "AudioClip",
    "AudioClipType",
    "AudioType",
    "DataType",
    "File",
    "FileType",
    "Image",
    "ImageMode",
    "ImageType",
    "TensorType",
    "VectorType",
    "VideoClip",
    "VideoClipType",
]
