"""Makes the test pictures and what Pillow, numpy and imagehash say about them.

Needs pillow, numpy and imagehash. Run it in this folder; the tests read what it wrote:

* encoded pictures (*.jpg, *.png, *.webp),
* expected.bin with pixels and expected.txt with one line for each block of it: name width height mode offset,
* facts.txt: name and a value as text.
"""

import struct
import zlib
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image, ImageOps

HERE = Path(__file__).parent
MODES = {"L": "L", "LA": "LA", "RGB": "RGB", "RGBA": "RGBA", "I;16": "L16"}
METHODS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

blocks = bytearray()
index = []
facts = []


def expect(name, image):
    index.append(f"{name} {image.width} {image.height} {MODES[image.mode]} {len(blocks)}")
    blocks.extend(image.tobytes())


def fact(name, value):
    facts.append(f"{name} {value}")


def scene(width, height, channels, seed):
    """Gradients, hard edges and noise: smooth, overshooting and random samples in one picture."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(float)
    planes = []
    for c in range(channels):
        plane = 127 + 90 * np.sin(x / (3 + c)) * np.cos(y / (5 + c)) + random.normal(0, 12, (height, width))
        plane[height // 3 : height // 2, width // 4 : width // 2] = 255 * (c % 2)
        plane[:, width * 3 // 4] = 255 - 255 * (c % 2)
        planes.append(plane)
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def png(name, ihdr, raw, *chunks):
    """Writes a PNG by hand, for kinds that Pillow does not write."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    body = b"".join(chunk(kind, data) for kind, data in chunks)
    (HERE / name).write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + body + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")
    )


def unfiltered(rows):
    return b"".join(b"\0" + row.tobytes() for row in rows)


rgb = Image.fromarray(scene(40, 30, 3, 1))
rgba = Image.fromarray(scene(40, 30, 4, 2))
grey = rgb.convert("L")
grey_alpha = Image.merge("LA", (grey, rgba.getchannel("A")))
words = (scene(40, 30, 1, 3)[..., 0].astype(int) * 257 + np.arange(40)).clip(0, 65535).astype(np.uint16)
grey16 = Image.fromarray(words)
expect("rgb", rgb)
expect("rgba", rgba)
expect("grey", grey)
expect("grey_alpha", grey_alpha)
expect("grey16", grey16)

# Decoding: the picture as Pillow reads it back.
rgb.save(HERE / "rgb.png")
rgba.save(HERE / "rgba.png")
grey.save(HERE / "grey.png")
grey_alpha.save(HERE / "grey_alpha.png")
grey16.save(HERE / "grey16.png")
grey.convert("1").save(HERE / "bilevel.png")
expect("bilevel.png", grey.convert("1").convert("L"))
palette = rgb.quantize(16)
palette.save(HERE / "palette.png")
expect("palette.png", palette.convert("RGB"))
palette.save(HERE / "palette_transparent.png", transparency=3)
expect("palette_transparent.png", Image.open(HERE / "palette_transparent.png").convert("RGBA"))
rgb.save(HERE / "colour_key.png", transparency=rgb.getpixel((20, 12)))
expect("colour_key.png", Image.open(HERE / "colour_key.png").convert("RGBA"))

deep = np.stack([words, words[::-1], words[:, ::-1]], -1).astype(">u2")
png("rgb16.png", struct.pack(">IIBBBBB", 40, 30, 16, 2, 0, 0, 0), unfiltered(deep))
expect("rgb16.png", Image.open(HERE / "rgb16.png"))
passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
pixels = np.asarray(rgb)
interlaced = b"".join(unfiltered(np.ascontiguousarray(pixels[y::dy, x::dx])) for x, y, dx, dy in passes)
png("interlaced.png", struct.pack(">IIBBBBB", 40, 30, 8, 2, 0, 0, 1), interlaced)

rgb.save(HERE / "rgb.jpg", quality=90)
rgb.save(HERE / "progressive.jpg", quality=85, progressive=True, subsampling=0)
grey.save(HERE / "grey.jpg", quality=90)
cmyk = rgb.convert("CMYK")
cmyk.save(HERE / "cmyk.jpg", quality=95)
rgb.save(HERE / "lossy.webp", quality=80)
rgb.save(HERE / "lossless.webp", lossless=True)
rgba.save(HERE / "alpha.webp", lossless=True, exact=True)
rgb.save(HERE / "animated.webp", save_all=True, append_images=[ImageOps.invert(rgb)], lossless=True)
for name in ["rgb.jpg", "progressive.jpg", "grey.jpg", "lossy.webp"]:
    expect(name, Image.open(HERE / name))
expect("cmyk.jpg", Image.open(HERE / "cmyk.jpg").convert("RGB"))

# Scaled decoding, against the area mean of the full picture.
smooth = rgb.resize((160, 120), Image.Resampling.BICUBIC)
smooth.save(HERE / "smooth.jpg", quality=95, subsampling=0)
expect("smooth.jpg/half", Image.open(HERE / "smooth.jpg").reduce(2))

# Orientation.
corner = Image.fromarray(scene(5, 3, 3, 4))
for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = orientation
    corner.save(HERE / f"orientation_{orientation}.png", exif=exif)
    expect(f"orientation_{orientation}", ImageOps.exif_transpose(Image.open(HERE / f"orientation_{orientation}.png")))
exif = Image.Exif()
exif[0x0112] = 6
rgb.save(HERE / "orientation_6.jpg", quality=90, exif=exif)
rgb.save(HERE / "orientation_6.webp", lossless=True, exif=exif)

# Sizes.
for mode, image in {"L": grey, "LA": grey_alpha, "RGB": rgb, "RGBA": rgba, "L16": grey16}.items():
    for method, code in METHODS.items():
        sizes = [(17, 11), (53, 44), (40, 9), (7, 30)] if mode == "RGB" else [(17, 11), (48, 32)]  # 48 × 32: no centre falls on an edge
        for size in sizes:
            expect(f"resize/{mode}/{method}/{size[0]}x{size[1]}", image.resize(size, code))
for size in [(1, 1), (2, 3), (3, 50)]:
    expect(f"resize/tiny/{size[0]}x{size[1]}", Image.fromarray(scene(2, 2, 3, 5)).resize(size, METHODS["lanczos"]))
expect("tiny", Image.fromarray(scene(2, 2, 3, 5)))

# Modes.
for name, image in {"rgb": rgb, "rgba": rgba, "grey": grey, "grey_alpha": grey_alpha}.items():
    for mode in ["L", "LA", "RGB", "RGBA"]:
        if mode != image.mode:
            expect(f"convert/{name}/{mode}", image.convert(mode))

# Crop beyond the edges.
expect("crop/outside", rgb.crop((-3, 5, 44, 33)))
expect("crop/inside", rgb.crop((7, 5, 30, 20)))

# Hashes and sharpness.
for name, image in {"rgb": rgb, "rgba": rgba, "grey": grey, "smooth": Image.open(HERE / "smooth.jpg")}.items():
    fact(f"phash/{name}", imagehash.phash(image))
    fact(f"dhash/{name}", imagehash.dhash(image))
    fact(f"ahash/{name}", imagehash.average_hash(image))
    lightness = np.asarray(image.convert("L")).astype(float)
    centre = lightness[1:-1, 1:-1]
    laplacian = lightness[:-2, 1:-1] + lightness[2:, 1:-1] + lightness[1:-1, :-2] + lightness[1:-1, 2:] - 4 * centre
    fact(f"sharpness/{name}", laplacian.var())

# Headers as Pillow reads them: format width height channels mode.
for path in sorted([*HERE.glob("*.jpg"), *HERE.glob("*.png"), *HERE.glob("*.webp")]):
    if path.name == "bomb.png":
        continue
    with Image.open(path) as image:
        fact(f"header/{path.name}", f"{image.format} {image.width} {image.height} {len(image.getbands())} {image.mode}")

# 900 million pixels that compress to a few KB: the rows are never sent.
png("bomb.png", struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0), bytes(4_000_000))

(HERE / "expected.bin").write_bytes(blocks)
(HERE / "expected.txt").write_text("\n".join(index) + "\n")
(HERE / "facts.txt").write_text("\n".join(facts) + "\n")
