"""Types and values: JSON, pyarrow, numpy and Pillow."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mainstem as ms
from mainstem.python_values import arrow_array, python_values
from mainstem.types import Audio, AudioClip, DataType, File, Image, ImageMode, VideoClip

PACKAGE = Path(ms.__file__).absolute().parents[1]


@pytest.mark.parametrize(
    ("kind", "form", "text"),
    [
        (DataType.int8(), "int8", "int8"),
        (DataType.boolean(), "bool", "bool"),
        (DataType.decimal(10, 2), {"type": "decimal", "precision": 10, "scale": 2}, "decimal(10, 2)"),
        (DataType.time(), {"type": "time", "unit": "s"}, "time(s)"),
        (DataType.timestamp_ltz(3), {"type": "timestamp", "unit": "ms", "timezone": "UTC"}, "timestamp(ms, UTC)"),
        (DataType.fixed_size_binary(16), {"type": "fixed_size_binary", "size": 16}, "fixed_size_binary(16)"),
        (DataType.list(DataType.string()), {"type": "list", "item": "string"}, "list<string>"),
        (
            DataType.map(DataType.string(), DataType.int64()),
            {"type": "map", "key": "string", "value": "int64"},
            "map<string, int64>",
        ),
        (
            DataType.row([("a", DataType.date()), ("b", DataType.image())]),
            {"type": "struct", "fields": [{"name": "a", "type": "date"}, {"name": "b", "type": {"type": "image"}}]},
            "struct<a: date, b: image>",
        ),
        (
            DataType.image("RGB", 224, 320),
            {"type": "image", "mode": "RGB", "height": 224, "width": 320},
            "image(RGB, 224, 320)",
        ),
        (
            DataType.tensor("float32", (3, 4)),
            {"type": "tensor", "dtype": "float32", "shape": [3, 4]},
            "tensor(float32, [3, 4])",
        ),
        (DataType.tensor(DataType.uint8()), {"type": "tensor", "dtype": "uint8", "shape": []}, "tensor(uint8)"),
        (
            DataType.vector("float32", 384),
            {"type": "vector", "dtype": "float32", "dimension": 384},
            "vector(float32, 384)",
        ),
        (DataType.file(), {"type": "file"}, "file"),
        (DataType.audio(), {"type": "audio"}, "audio"),
        (DataType.audio_clip(), {"type": "audio_clip"}, "audio_clip"),
        (DataType.video_clip(), {"type": "video_clip"}, "video_clip"),
    ],
)
def test_types_keep_their_form(kind: DataType, form: object, text: str) -> None:
    assert kind.to_json() == form
    assert DataType.from_json(form) == kind
    assert str(kind) == text
    assert DataType.from_arrow(kind.to_arrow()) == kind


def test_arrow_types_that_have_no_name_of_their_own() -> None:
    assert DataType.from_arrow(pa.large_string()) == DataType.string()
    assert DataType.from_arrow(pa.binary()) == DataType.binary()
    assert DataType.from_arrow(pa.large_list(pa.int8())) == DataType.list(DataType.int8())
    assert DataType.from_arrow(pa.dictionary(pa.int8(), pa.string())) == DataType.string()
    with pytest.raises(TypeError, match="duration"):
        DataType.from_arrow(pa.duration("s"))


def test_a_field_of_storage_tells_its_type_in_its_metadata() -> None:
    # As a field arrives where nobody registered the extension types.
    storage = DataType.image().to_arrow().storage_type
    metadata = {"ARROW:extension:name": "mainstem.image", "ARROW:extension:metadata": '{"mode":"L"}'}
    assert DataType.from_arrow(pa.field("x", storage, metadata=metadata)) == DataType.image("L")


@pytest.mark.parametrize(
    "make",
    [
        lambda: DataType("int7"),
        lambda: DataType("list"),
        lambda: DataType.image(height=3),
        lambda: DataType.image(height=3, width=3),
        lambda: DataType.vector("string", 3),
        lambda: DataType.vector("float32", 0),
        lambda: DataType.tensor("float32", (0,)),
        lambda: DataType.timestamp(5),
        lambda: DataType.struct([("a", DataType.date()), ("a", DataType.date())]),
    ],
)
def test_wrong_types_are_refused(make: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_pictures_go_to_pillow_and_back(mode: str) -> None:
    picture = PIL.Image.effect_noise((5, 3), 50).convert(mode)
    image = Image.from_pil(picture)
    assert (image.width, image.height, image.mode.name) == (5, 3, mode)
    assert image.to_pil().tobytes() == picture.tobytes()
    assert PIL.Image.open(io.BytesIO(image._repr_png_())).size == (5, 3)


def test_pillows_other_modes_become_ours() -> None:
    assert Image.from_pil(PIL.Image.new("P", (2, 2))).mode is ImageMode.RGB
    assert Image.from_pil(PIL.Image.new("CMYK", (2, 2))).mode is ImageMode.RGB
    assert Image.from_pil(PIL.Image.new("1", (2, 2), 1)).data.max() == 255
    deep = PIL.Image.fromarray(np.full((2, 3), 40000, "uint16"))
    assert Image.from_pil(deep).data[0, 0, 0] == 40000
    assert Image.from_pil(deep).mode is ImageMode.L16


def test_pictures_that_fit_no_mode_are_refused() -> None:
    with pytest.raises(ValueError, match="2 channels of float32"):
        Image(np.zeros((2, 2, 2), "float32"))
    with pytest.raises(ValueError, match="mode RGB has 3 channels"):
        Image(np.zeros((2, 2, 1), "uint8"), "RGB")


def test_pixels_are_not_copied() -> None:
    pixels = np.arange(24, dtype="uint8").reshape(2, 4, 3)
    array = arrow_array([Image(pixels)])
    (image,) = python_values(array)
    assert image.data.tolist() == pixels.tolist()
    assert not image.data.flags.owndata
    assert np.shares_memory(image.data, python_values(array)[0].data)
    assert np.asarray(image).base is not None


NUMBERS = np.arange(6, dtype="float32")
VALUES = [
    (Image(np.full((2, 3), 7, "uint8")), DataType.image()),
    (PIL.Image.new("RGB", (3, 2)), DataType.image()),
    (File("a.jpg", 3, 4, "v1", b"xyz"), DataType.file()),
    (Audio(np.array([[0.5, -0.5]] * 8000), 16000), DataType.audio()),
    (AudioClip("a.wav", 10, None), DataType.audio_clip()),
    (VideoClip("a.mp4", None, 20), DataType.video_clip()),
    (NUMBERS, DataType.vector("float32", 6)),
    (NUMBERS.reshape(2, 3), DataType.tensor("float32", (2, 3))),
]


@pytest.mark.parametrize(("value", "kind"), VALUES)
def test_values_survive_arrow_and_parquet(value: object, kind: DataType) -> None:
    array = arrow_array([value, None, value])
    assert DataType.from_arrow(array.type) == kind
    file = io.BytesIO()
    pq.write_table(pa.table({"x": array, "nested": arrow_array([[value], None, []])}), file)
    read = pq.read_table(file)
    assert read.schema.field("x").type == array.type
    first, missing, last = python_values(read["x"])
    expected = Image.from_pil(value) if isinstance(value, PIL.Image.Image) else value
    assert (
        np.array_equal(first, expected)
        if isinstance(expected, np.ndarray)
        else first == expected or kind.name == "audio"
    )
    assert missing is None
    assert np.array_equal(np.asarray(first), np.asarray(last)) if hasattr(first, "__array__") else first == last
    nested = python_values(read["nested"])
    assert len(nested[0]) == 1 and nested[1:] == [None, []]
    assert python_values(array.slice(1, 1)) == [None]


def test_sound_has_frames_and_channels() -> None:
    sound = Audio(np.zeros(24000), 16000)
    assert (sound.frames, sound.channels, sound.duration_ms, sound.data.dtype) == (24000, 1, 1500, np.float32)
    stored = arrow_array([sound]).storage.to_pylist()[0]
    assert (stored["frames"], stored["duration_ms"], stored["layout"]) == (24000, 1500, "interleaved")


def test_tensors_of_different_shapes() -> None:
    values = [np.ones((2, 3), "uint8"), np.zeros((1,), "uint8")]
    array = arrow_array(values)
    assert DataType.from_arrow(array.type) == DataType.tensor("uint8")
    assert [value.shape for value in python_values(array)] == [(2, 3), (1,)]


def test_a_value_that_does_not_fit_its_type_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \[2\] does not fit vector\(float32, 3\)"):
        arrow_array([[1, 2]], DataType.vector("float32", 3))
    with pytest.raises(ValueError, match="does not fit image"):
        arrow_array([Image(np.zeros((2, 2, 3), "uint8"))], DataType.image("RGB", 4, 4))


def test_files_can_be_read_without_mainstem(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"x": arrow_array([Image(np.zeros((2, 2), "uint8"))])}), path)
    script = f"import pyarrow.parquet as pq; t = pq.read_table({str(path)!r}); print(t['x'][0].as_py()['height'])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "2\n"


def test_importing_mainstem_loads_no_large_library() -> None:
    script = (
        "import sys, mainstem as ms; ms.col('a') + 1; ms.udf; ms.DataType.int64(); ms.config; ms.read_files\n"
        "print(sorted({'pyarrow', 'pandas', 'numpy', 'rich', 'PIL', 'cloudpickle'} & set(sys.modules)))"
    )
    environment = {"PYTHONPATH": str(PACKAGE)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert done.stdout == "[]\n", done.stderr


def test_hashes_work_beside_the_native_module() -> None:
    pytest.importorskip("mainstem._core", reason="the native module is not built")
    script = "from mainstem._engine import native; native(); import hashlib; print(hashlib.sha256(b'').hexdigest())"
    environment = {"PYTHONPATH": str(PACKAGE)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout[:8]) == (0, "e3b0c442"), done.stderr


def test_a_picture_may_have_a_size_and_no_mode() -> None:
    storage = DataType.image().to_arrow().storage_type
    metadata = {"ARROW:extension:name": "mainstem.image", "ARROW:extension:metadata": '{"height":4,"width":4}'}
    kind = DataType.from_arrow(pa.field("x", storage, metadata=metadata))
    assert (str(kind), DataType.from_arrow(kind.to_arrow())) == ("image(4, 4)", kind)


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(AttributeError, match="Did you mean 'read_files'"):
        ms.read_file  # noqa: B018
