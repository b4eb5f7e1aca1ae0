"""Writes a ResNet18-shaped ONNX model with random weights: make_resnet18.py OUT.onnx

The layers, strides and channels are those of He et al. 2015, table 1, with batch normalisation folded into the
convolutions; 11.7 M parameters, 1.8 GFLOP an image. Input `images` (batch, 3, 224, 224), output `logits` (batch, 1000).
"""

from __future__ import annotations

import sys

import numpy
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper, save

STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))  # channels, stride of the first block; two blocks each


class Network:
    """Nodes and weights as they are added."""

    def __init__(self, seed: int) -> None:
        self.random = numpy.random.default_rng(seed)
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []

    def weight(self, name: str, shape: tuple[int, ...], scale: float) -> str:
        values = self.random.standard_normal(shape, "float32") * numpy.float32(scale)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def add(self, operator: str, inputs: list[str], **attributes: object) -> str:
        output = f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def convolution(self, value: str, before: int, after: int, size: int, stride: int, scale: float = 1.0) -> str:
        number = len(self.nodes)
        kernel = self.weight(
            f"kernel{number}", (after, before, size, size), scale * (2 / (before * size * size)) ** 0.5
        )
        bias = self.weight(f"bias{number}", (after,), 0.01)
        return self.add(
            "Conv", [value, kernel, bias], kernel_shape=[size] * 2, strides=[stride] * 2, pads=[size // 2] * 4
        )

    def block(self, value: str, before: int, after: int, stride: int) -> str:
        inner = self.add("Relu", [self.convolution(value, before, after, 3, stride)])
        inner = self.convolution(inner, after, after, 3, 1, scale=0.5)  # keeps the sum with the shortcut in range
        shortcut = value if before == after and stride == 1 else self.convolution(value, before, after, 1, stride, 0.7)
        return self.add("Relu", [self.add("Add", [inner, shortcut])])


def make(seed: int = 18) -> ModelProto:
    network = Network(seed)
    value = network.add("Relu", [network.convolution("images", 3, 64, 7, 2)])
    value = network.add("MaxPool", [value], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    channels = 64
    for after, stride in STAGES:
        value = network.block(value, channels, after, stride)
        value = network.block(value, after, after, 1)
        channels = after
    value = network.add("Flatten", [network.add("GlobalAveragePool", [value])], axis=1)
    network.nodes.append(
        helper.make_node(
            "Gemm", [value, network.weight("classes", (512, 1000), 0.05), network.weight("offsets", (1000,), 0.01)],
            ["logits"],
        )
    )  # fmt: skip
    graph = helper.make_graph(
        network.nodes,
        "resnet18",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 224, 224])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1000])],
        network.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    return model


if __name__ == "__main__":
    save(make(), sys.argv[1])
