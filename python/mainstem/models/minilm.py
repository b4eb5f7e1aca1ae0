"""all-MiniLM-L6-v2 as an OpenVINO graph, built from its published weights.

A BERT encoder of six layers; the sentence vector is the mean of the token vectors, scaled to length one, as the
model's card at huggingface.co/sentence-transformers/all-MiniLM-L6-v2 prescribes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

_LAYERS = 6
_HEADS = 12
_WIDTH = 384
_EPSILON = 1e-12

Weights = dict[str, NDArray[Any]]


def build(weights: Weights) -> ov.Model:
    """Returns the graph: `input_ids` and `attention_mask` i64 [N, L] in, `embedding` f32 [N, 384] out."""
    ids = ops.parameter([-1, -1], np.int64, name="input_ids")
    ids.output(0).set_names({"input_ids"})
    mask = ops.parameter([-1, -1], np.int64, name="attention_mask")
    mask.output(0).set_names({"attention_mask"})
    present = ops.convert(mask, "f32")

    node = _embeddings(ids, weights)
    attended = ops.not_equal(ops.unsqueeze(mask, np.array([1, 2])), np.int64(0))  # [N, 1, 1, L]
    for layer in range(_LAYERS):
        node = _layer(node, attended, weights, f"encoder.layer.{layer}")

    column = ops.unsqueeze(present, np.int64(2))  # [N, L, 1]
    total = ops.reduce_sum(ops.multiply(node, column), np.int64(1), False)
    count = ops.maximum(ops.reduce_sum(column, np.int64(1), False), np.float32(1e-9))
    embedding = ops.normalize_l2(ops.divide(total, count), np.array([1]), 1e-24, "max")
    embedding.output(0).set_names({"embedding"})
    return ov.Model([ops.result(embedding)], [ids, mask], "all-minilm-l6-v2")


def _embeddings(ids: Any, weights: Weights) -> Any:
    words = ops.gather(ops.constant(weights["embeddings.word_embeddings.weight"]), ids, np.int64(0))
    length = ops.gather(ops.shape_of(ids), np.int64(1), np.int64(0))
    positions = ops.range(np.int64(0), length, np.int64(1), "i64")
    # All tokens are of the first segment, so its vector belongs to every position.
    table = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    places = ops.unsqueeze(ops.gather(ops.constant(table), positions, np.int64(0)), np.int64(0))
    return _normalized(ops.add(words, places), weights, "embeddings.LayerNorm")


def _layer(node: Any, attended: Any, weights: Weights, prefix: str) -> Any:
    query, key, value = (
        _heads(_dense(node, weights, f"{prefix}.attention.self.{part}")) for part in ("query", "key", "value")
    )
    context = ops.scaled_dot_product_attention(query, key, value, attended)
    context = ops.transpose(context, np.array([0, 2, 1, 3]))
    context = ops.reshape(context, np.array([0, 0, _WIDTH]), True)
    output = _dense(context, weights, f"{prefix}.attention.output.dense")
    node = _normalized(ops.add(output, node), weights, f"{prefix}.attention.output.LayerNorm")
    wide = ops.gelu(_dense(node, weights, f"{prefix}.intermediate.dense"), "erf")
    output = _dense(wide, weights, f"{prefix}.output.dense")
    return _normalized(ops.add(output, node), weights, f"{prefix}.output.LayerNorm")


def _dense(node: Any, weights: Weights, prefix: str) -> Any:
    return ops.add(ops.matmul(node, weights[f"{prefix}.weight"], False, True), weights[f"{prefix}.bias"])


def _heads(node: Any) -> Any:
    """[N, L, 384] → [N, 12, L, 32]."""
    split = ops.reshape(node, np.array([0, 0, _HEADS, _WIDTH // _HEADS]), True)
    return ops.transpose(split, np.array([0, 2, 1, 3]))


def _normalized(node: Any, weights: Weights, prefix: str) -> Any:
    centred = ops.mvn(node, np.array([-1]), True, _EPSILON, "inside_sqrt")
    return ops.add(ops.multiply(centred, weights[f"{prefix}.weight"]), weights[f"{prefix}.bias"])
