"""Small inputs that the tests make for themselves."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image


def photo(width: int, height: int, seed: int = 0) -> Image.Image:
    """A smooth picture with some noise, as cameras make them."""
    noise = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    shades = [np.sin(x / 17 + seed) + np.cos(y / 11), np.cos(x / 23) * 2, np.sin((x + y) / 31 + seed) * 2]
    pixels = np.stack([shade * 50 + 128 for shade in shades], axis=-1) + noise.normal(0, 6, (height, width, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """A picture as a file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photo_folder(folder: Path, count: int = 12) -> list[Path]:
    """Photos of several sizes and formats: 000.jpg, 001.png, 002.webp, 003.jpg, …"""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = [("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP")]
    paths = []
    for index in range(count):
        suffix, kind = kinds[index % 3]
        path = folder / f"{index:03}.{suffix}"
        path.write_bytes(encoded(photo(60 + 13 * index, 90 + 7 * index, index), kind))
        paths.append(path)
    return paths


def laplacian_variance(image: Image.Image) -> float:
    """The variance of the 4-neighbour Laplacian of the grey picture over its inner pixels."""
    grey = np.asarray(image.convert("L"), dtype=np.float64)
    inner = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    return float(inner.var())


def tone(seconds: float = 1.0, rate: int = 48_000, channels: int = 2) -> np.ndarray:
    """Two tones, one a channel: float32, frames × channels."""
    time = np.arange(int(seconds * rate)) / rate
    waves = [np.sin(2 * np.pi * 440 * (index + 1) * time) * 0.4 for index in range(channels)]
    return np.stack(waves, axis=-1).astype(np.float32)


def sound(samples: np.ndarray, rate: int, kind: str = "WAV", subtype: str | None = None) -> bytes:
    """Samples as a file's bytes."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(side: int = 30_000) -> bytes:
    """A valid grey PNG of side × side pixels in few KB: one bit a pixel, all the same."""
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + side // 8)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


def huge_wav() -> bytes:
    """A WAV of 1,000 frames that claims 4 GB of them."""
    data = sound(tone(1000 / 48_000, 48_000, 1), 48_000, subtype="PCM_16")
    at = data.index(b"data") + 4
    claimed = struct.pack("<I", 0xFFFFFF00)
    return data[:4] + claimed + data[8:at] + claimed + data[at + 4 :]


def damaged(good: bytes, seed: int = 7) -> dict[str, bytes]:
    """What can become of a file: cut, empty, of another kind, with bits flipped."""
    chance = random.Random(seed)
    flipped = bytearray(good)
    for _ in range(max(8, len(good) // 40)):
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
    return {
        "empty": b"",
        "one_byte": good[:1],
        "header_only": good[:16],
        "cut": good[: len(good) // 2],
        "zeros": bytes(len(good)),
        "text": b"This is no media file at all.\n" * 20,
        "wrong_magic": b"XXXX" + good[4:],
        "flipped": bytes(flipped),
    }


def pdf(pages: Iterable[str]) -> bytes:
    """A PDF with a line of text a page, written by hand (ISO 32000-1)."""
    texts = list(pages)
    count = len(texts)
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(count))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {count} /Kids [{kids}] >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for index, text in enumerate(texts):
        content = f"BT /F1 18 Tf 72 700 Td ({text}) Tj ET".encode()
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> "
            b"/Contents %d 0 R >>" % (5 + 2 * index)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)
