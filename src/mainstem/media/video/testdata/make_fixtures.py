#!/usr/bin/env python3
"""Makes the small videos of the tests with the ffmpeg program, and expected.json with what ffprobe says of them.

Run in this folder. The videos are committed, so the tests need neither program.
"""
import json
import subprocess

SIZE, RATE = "64x48", 10
SOURCE = ["-f", "lavfi", "-i", f"testsrc=size={SIZE}:rate={RATE}:duration=3"]
QUIET = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y"]
# The same bytes every time: no encoder version, no date.
EXACT = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-map_metadata", "-1"]

H264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "10", "-bf", "2", "-sc_threshold", "0", "-threads", "1"]
VP9 = ["-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p", "-g", "10", "-b:v", "60k", "-threads", "1"]
MPEG4 = ["-c:v", "mpeg4", "-g", "10", "-q:v", "6"]

FILES = {
    "h264.mp4": [*H264, "-movflags", "+faststart"],
    "h264_end.mp4": H264,  # index at the end: a truncated file cannot be opened
    "vp9.webm": VP9,
    "h264.mkv": H264,
    "mpeg4.avi": MPEG4,
    "h264.ts": H264,
}


def make():
    for name, codec in FILES.items():
        subprocess.run([*QUIET, *SOURCE, *codec, *EXACT, name], check=True)
    subprocess.run([*QUIET, "-f", "lavfi", "-i", "sine=frequency=440:duration=0.2", *EXACT, "sound_only.mp4"], check=True)


def probe(name):
    out = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-of", "json", "-show_entries",
         "stream=width,height,codec_name,avg_frame_rate,time_base,duration,nb_frames,index:format=duration:"
         "frame=best_effort_timestamp,best_effort_timestamp_time,key_frame", "-show_frames", name],
        check=True, capture_output=True, text=True)
    return json.loads(out.stdout)


def pixels(name, size):
    """The mean of each colour of the first picture, as ffmpeg's own scaler makes it."""
    raw = subprocess.run([*QUIET, "-i", name, "-frames:v", "1", "-vf", f"scale={size}:flags=bilinear", "-pix_fmt",
                          "rgb24", "-f", "rawvideo", "-"], check=True, capture_output=True).stdout
    return [sum(raw[channel::3]) / (len(raw) // 3) for channel in range(3)]


def main():
    make()
    expected = {}
    for name in FILES:
        found = probe(name)
        stream, frames = found["streams"][0], found["frames"]
        first = int(frames[0]["best_effort_timestamp"])
        expected[name] = {
            "codec": stream["codec_name"], "width": stream["width"], "height": stream["height"],
            "rate": stream["avg_frame_rate"], "time_base": stream["time_base"],
            "duration": stream.get("duration", found["format"].get("duration")), "nb_frames": stream.get("nb_frames"),
            "pts": [int(frame["best_effort_timestamp"]) - first for frame in frames],
            "key": [frame["key_frame"] for frame in frames],
            "mean": pixels(name, "64:48"), "mean_small": pixels(name, "30:20"),
        }
    with open("expected.json", "w", encoding="utf-8") as out:
        lines = [f"{json.dumps(name)}: {json.dumps(facts)}" for name, facts in expected.items()]
        out.write("{\n" + ",\n".join(lines) + "\n}\n")


main()
