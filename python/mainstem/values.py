"""Values of multimodal columns as Python sees them: pictures, sound, references to files."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mainstem.datatype import ImageMode

if TYPE_CHECKING:
    import PIL.Image

Array = npt.NDArray[Any]


class Image:
    """A decoded picture: an array of height x width x channels and the mode that names the channels.

    The pixels are not copied; those that come from a job cannot be written to."""

    __slots__ = ("data", "mode")

    def __init__(self, data: Any, mode: ImageMode | str | None = None) -> None:
        pixels = np.asarray(data)
        if pixels.ndim == 2:
            pixels = pixels[:, :, np.newaxis]
        if pixels.ndim != 3 or 0 in pixels.shape:
            raise ValueError(f"a picture has height x width x channels, not the shape {pixels.shape}")
        kind = _mode_of(pixels) if mode is None else ImageMode[mode] if isinstance(mode, str) else ImageMode(mode)
        if pixels.dtype != kind.dtype or pixels.shape[2] != kind.channels:
            raise ValueError(
                f"mode {kind.name} has {kind.channels} channels of {kind.dtype}, "
                f"not {pixels.shape[2]} of {pixels.dtype}"
            )
        self.data: Array = np.ascontiguousarray(pixels)
        self.mode: ImageMode = kind

    @property
    def height(self) -> int:
        return int(self.data.shape[0])

    @property
    def width(self) -> int:
        return int(self.data.shape[1])

    @property
    def channels(self) -> int:
        return int(self.data.shape[2])

    @classmethod
    def from_pil(cls, picture: PIL.Image.Image) -> Image:
        """From Pillow's picture; a mode that Mainstem has not becomes RGB or RGBA."""
        if picture.mode in ("I;16", "I;16L", "I;16B", "I;16N"):
            return cls(np.asarray(picture).astype(np.uint16), ImageMode.L16)
        if picture.mode not in ("L", "LA", "RGB", "RGBA"):
            transparent = "transparency" in picture.info or picture.mode in ("PA", "RGBa", "La")
            picture = picture.convert("L" if picture.mode == "1" else "RGBA" if transparent else "RGB")
        return cls(np.asarray(picture), picture.mode)

    def to_pil(self) -> PIL.Image.Image:
        """Pillow's picture of the same pixels."""
        import PIL.Image

        pixels = self.data[:, :, 0] if self.channels == 1 else self.data
        return PIL.Image.fromarray(pixels)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        wanted = np.dtype(dtype) if dtype is not None else self.data.dtype
        if copy is False and wanted != self.data.dtype:
            raise ValueError("these pixels in another type are a copy")
        return self.data.astype(wanted, copy=bool(copy))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and self.mode == other.mode and np.array_equal(self.data, other.data)

    def __hash__(self) -> int:
        return hash((self.mode, self.data.shape))

    def __repr__(self) -> str:
        return f"<Image {self.mode.name} {self.width}×{self.height}>"

    def thumbnail(self, side: int = 96) -> bytes:
        """A PNG whose longer side is at most so long."""
        import PIL.Image

        picture = (
            self.to_pil()
            if self.mode is not ImageMode.L16
            else PIL.Image.fromarray((self.data[:, :, 0] >> 8).astype("u1"))
        )
        picture.thumbnail((side, side))
        out = io.BytesIO()
        picture.save(out, "PNG")
        return out.getvalue()

    def _repr_png_(self) -> bytes:
        return self.thumbnail(512)

    def _repr_html_(self) -> str:
        encoded = base64.b64encode(self.thumbnail()).decode("ascii")
        return f'<img src="data:image/png;base64,{encoded}" title="{self.mode.name} {self.width}×{self.height}">'


@dataclass(frozen=True)
class File:
    """A reference to a file or a part of one."""

    uri: str
    offset: int = 0
    length: int = -1
    version: str = ""
    data: bytes | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> File:
        """From the fields that a column stores."""
        length = fields["length"]
        whole = -1 if length is None else length
        return cls(fields["uri"] or "", fields["offset"] or 0, whole, fields["version"] or "", fields["data"])

    def __str__(self) -> str:
        return self.uri

    def __fspath__(self) -> str:
        return self.uri.removeprefix("file://")


@dataclass(frozen=True, eq=False)
class Audio:
    """Decoded sound: samples as float32, frames x channels."""

    data: Array = field(repr=False)
    sample_rate: int
    source_uri: str | None = None
    start_time_ms: int | None = None
    end_time_ms: int | None = None

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Audio:
        """From the fields that a column stores."""
        times = (fields.get("start_time_ms"), fields.get("end_time_ms"))
        return cls(fields["data"], fields["sample_rate"], fields.get("source_uri"), *times)

    def __post_init__(self) -> None:
        samples = np.asarray(self.data, dtype=np.float32)
        if samples.ndim == 1:
            samples = samples[:, np.newaxis]
        if samples.ndim != 2:
            raise ValueError(f"sound has frames x channels, not the shape {samples.shape}")
        object.__setattr__(self, "data", samples)

    @property
    def frames(self) -> int:
        return int(self.data.shape[0])

    @property
    def channels(self) -> int:
        return int(self.data.shape[1])

    @property
    def duration_ms(self) -> int:
        return self.frames * 1000 // self.sample_rate if self.sample_rate else 0

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self.data.astype(dtype or np.float32, copy=bool(copy))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Audio) and self.sample_rate == other.sample_rate and np.array_equal(self.data, other.data)
        )

    def __hash__(self) -> int:
        return hash((self.sample_rate, self.data.shape))

    def __str__(self) -> str:
        return f"<Audio {self.duration_ms / 1000:.1f} s, {self.sample_rate} Hz, {self.channels} ch>"


@dataclass(frozen=True)
class AudioClip:
    """A time range of a sound file; its end is exclusive, None is the file's end."""

    uri: str
    start_time_ms: int | None = None
    end_time_ms: int | None = None

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> AudioClip:
        """From the fields that a column stores."""
        return cls(fields["uri"], fields["start_time_ms"], fields["end_time_ms"])


@dataclass(frozen=True)
class VideoClip:
    """A time range of a video file; its end is inclusive, None is the file's end."""

    uri: str
    start_time_ms: int | None = None
    end_time_ms: int | None = None

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> VideoClip:
        """From the fields that a column stores."""
        return cls(fields["uri"], fields["start_time_ms"], fields["end_time_ms"])


def _mode_of(pixels: Array) -> ImageMode:
    for mode in ImageMode:
        if pixels.dtype == mode.dtype and pixels.shape[2] == mode.channels:
            return mode
    raise ValueError(f"no mode has {pixels.shape[2]} channels of {pixels.dtype}: uint8 with 1 to 4, or uint16 with 1")
