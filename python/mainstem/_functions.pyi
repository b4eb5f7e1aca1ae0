"""The registry's functions as methods. Written by `python -m mainstem._stubs`; do not edit."""

from collections.abc import Sequence
from typing import Any

from mainstem.accessors import Accessor, FunctionNamespace, TableCall
from mainstem.aggregates import AggregateExpression
from mainstem.expressions import Expression

class ImageAccessor(Accessor):
    """Functions image.*"""

    def decode(self, mode: str | None = None, on_error: str = 'raise') -> Expression:
        """Does image.decode.

        Parameters:
            image (any)
            mode (str | None): The mode.
            on_error ('raise' | 'null' | 'dead_letter'): The on_error.
        """

    def resize(self, width: int, height: int, method: str = 'lanczos') -> Expression:
        """Does image.resize.

        Parameters:
            image (any)
            width (at least 1): The width.
            height (at least 1): The height.
            method ('nearest' | 'lanczos'): The method.
        """

    def encode(self, format: str = 'JPEG', quality: int = 85) -> Expression:
        """Does image.encode.

        Parameters:
            image (any)
            format (str): The format.
            quality (int): The quality.
        """

    def crop(self, crop_ratio: Sequence[float] = [0.8, 0.8]) -> Expression:
        """Does image.crop.

        Parameters:
            image (any)
            crop_ratio (Sequence[float]): The crop_ratio.
        """

class AudioAccessor(Accessor):
    """Functions audio.*"""

    def split_by_timestamp(self, timestamps: Any = None, max_segments: int = 1024) -> TableCall:
        """Does audio.split_by_timestamp.

        Parameters:
            audio (any)
            timestamps (any)
            max_segments (int): The max_segments.
        """

class VideoAccessor(Accessor):
    """Functions video.*"""

    def explode_frames(self, frame_selector: str = 'all_frames') -> TableCall:
        """Does video.explode_frames.

        Parameters:
            video (any)
            frame_selector (str): The frame_selector.
        """

class DocumentAccessor(Accessor):
    """Functions document.*"""

    def pages(self, dpi: int = 150) -> TableCall:
        """Does document.pages.

        Parameters:
            document (any)
            dpi (int): The dpi.
        """

class TextAccessor(Accessor):
    """Functions text.*"""

    def upper(self) -> Expression:
        """Does text.upper.

        Parameters:
            text (any)
        """

    def concat(self, *text: Any) -> Expression:
        """Does text.concat.

        Parameters:
            text (any)
        """

    def chunk(self, size: int = 1000, overlap: int = 0) -> Expression:
        """Does text.chunk.

        Parameters:
            text (any)
            size (int): The size.
            overlap (int): The overlap.
        """

class VectorAccessor(Accessor):
    """Functions vector.*"""

    def cosine(self, right: Any) -> Expression:
        """Does vector.cosine.

        Parameters:
            left (any)
            right (any)
        """

class FileAccessor(Accessor):
    """Functions file.*"""

class TemporalAccessor(Accessor):
    """Functions temporal.*"""

class ListAccessor(Accessor):
    """Functions list.*"""

class StructAccessor(Accessor):
    """Functions struct.*"""

class AiFunctions(FunctionNamespace):
    """Functions ai.*"""

    def embed_text(self, text: Any, model: str) -> Expression:
        """Does ai.embed_text.

        Parameters:
            text (any)
            model (str): The model.
        """
