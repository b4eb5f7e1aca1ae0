"""Makes the sound files of the tests and what they must decode to, with soundfile and soxr (pip install soundfile soxr).

Run it in this folder. Every file is an eighth of a second of a rising tone with a little noise; `x.f32` holds the samples
(float32, interleaved, little endian) that soundfile reads from `x.*`, and expected.csv its header.
"""

import csv
from pathlib import Path

import numpy as np
import soundfile
import soxr

HERE = Path(__file__).parent
FILES = [  # name, rate, channels, format, subtype
    ("stereo48k.flac", 48000, 2, "FLAC", "PCM_16"),
    ("mono44k.wav", 44100, 1, "WAV", "PCM_16"),
    ("stereo8k24bit.wav", 8000, 2, "WAV", "PCM_24"),
    ("mono16kfloat.wav", 16000, 1, "WAV", "FLOAT"),
    ("mono22k.ogg", 22050, 1, "OGG", "VORBIS"),
    ("mono16k.opus", 16000, 1, "OGG", "OPUS"),
    ("mono11k.aiff", 11025, 1, "AIFF", "PCM_16"),
    ("mono24k.mp3", 24000, 1, "MP3", "MPEG_LAYER_III"),
]


def tone(rate: int, channels: int) -> np.ndarray:
    frames = rate // 8
    time = np.arange(frames) / rate
    noise = np.random.default_rng(7).standard_normal((frames, channels)) * 0.01
    phase = 2 * np.pi * (200 * time + 1200 * time**2)
    return np.stack([0.6 * np.sin(phase * (1 + c / 3)) for c in range(channels)], axis=1) + noise


def main() -> None:
    with open(HERE / "expected.csv", "w", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        for name, rate, channels, format, subtype in FILES:
            path = HERE / name
            soundfile.write(path, tone(rate, channels), rate, format=format, subtype=subtype)
            samples, read_rate = soundfile.read(path, dtype="float32", always_2d=True)
            info = soundfile.info(path)
            samples.astype("<f4").tofile(HERE / f"{path.stem}.f32")
            rows.writerow([name, read_rate, samples.shape[1], samples.shape[0], info.format, info.subtype])
    samples, rate = soundfile.read(HERE / "stereo48k.flac", dtype="float32")
    soxr.resample(samples.mean(axis=1), rate, 16000, quality="HQ").astype("<f4").tofile(HERE / "stereo48k_16k_mono.f32")
    samples, rate = soundfile.read(HERE / "mono44k.wav", dtype="float32")
    soxr.resample(samples, rate, 48000, quality="HQ").astype("<f4").tofile(HERE / "mono44k_48k.f32")


main()
