"""EfficientNet-Lite0 as an OpenVINO graph, built from its published weights.

The architecture is that of github.com/tensorflow/tpu, efficientnet/lite: MobileNet blocks without squeeze and
excitation, ReLU6, padding as TensorFlow's SAME.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

INPUT_SIDE = 224
_EPSILON = 1e-3

Weights = dict[str, NDArray[Any]]


class _Stage(NamedTuple):
    """Blocks of one shape; only the first of them has the stride."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    inputs: int
    outputs: int


_STAGES = (
    _Stage(1, 3, 1, 1, 32, 16),
    _Stage(2, 3, 2, 6, 16, 24),
    _Stage(2, 5, 2, 6, 24, 40),
    _Stage(3, 3, 2, 6, 40, 80),
    _Stage(3, 5, 1, 6, 80, 112),
    _Stage(4, 5, 2, 6, 112, 192),
    _Stage(1, 3, 1, 6, 192, 320),
)


def build(weights: Weights) -> ov.Model:
    """Returns the graph: `images` f32 [N, 3, 224, 224] in, `logits` [N, 1000] and `embedding` [N, 1280] out."""
    images = ops.parameter([-1, 3, INPUT_SIDE, INPUT_SIDE], np.float32, name="images")
    images.output(0).set_names({"images"})
    node = _relu6(_convolution(images, weights, "_conv_stem", "_bn0", stride=2))
    index = 0
    for stage in _STAGES:
        for repeat in range(stage.repeats):
            first = repeat == 0
            node = _block(node, weights, f"_blocks.{index}", stage, first)
            index += 1
    node = _relu6(_convolution(node, weights, "_conv_head", "_bn1"))
    embedding = ops.reduce_mean(node, np.array([2, 3]), False)
    embedding.output(0).set_names({"embedding"})
    logits = ops.add(ops.matmul(embedding, weights["_fc.weight"], False, True), weights["_fc.bias"])
    logits.output(0).set_names({"logits"})
    return ov.Model([ops.result(logits), ops.result(embedding)], [images], "efficientnet-lite0")


def _block(node: Any, weights: Weights, prefix: str, stage: _Stage, first: bool) -> Any:
    entry = node
    if stage.expansion != 1:
        node = _relu6(_convolution(node, weights, f"{prefix}._expand_conv", f"{prefix}._bn0"))
    stride = stage.stride if first else 1
    node = _relu6(_convolution(node, weights, f"{prefix}._depthwise_conv", f"{prefix}._bn1", stride, True))
    node = _convolution(node, weights, f"{prefix}._project_conv", f"{prefix}._bn2")
    return node if first else ops.add(node, entry)


def _convolution(
    node: Any, weights: Weights, convolution: str, normalization: str, stride: int = 1, depthwise: bool = False
) -> Any:
    """A convolution with its batch normalization folded into kernel and bias."""
    scale = weights[f"{normalization}.weight"] / np.sqrt(weights[f"{normalization}.running_var"] + _EPSILON)
    bias = weights[f"{normalization}.bias"] - weights[f"{normalization}.running_mean"] * scale
    kernel = weights[f"{convolution}.weight"] * scale.reshape(-1, 1, 1, 1)
    strides, zeros, dilations = [stride, stride], [0, 0], [1, 1]
    if depthwise:
        grouped = kernel.reshape(kernel.shape[0], 1, *kernel.shape[1:]).astype(np.float32)
        node = ops.group_convolution(node, grouped, strides, zeros, zeros, dilations, "same_upper")
    else:
        node = ops.convolution(node, kernel.astype(np.float32), strides, zeros, zeros, dilations, "same_upper")
    return ops.add(node, bias.reshape(1, -1, 1, 1).astype(np.float32))


def _relu6(node: Any) -> Any:
    return ops.clamp(node, 0.0, 6.0)
