"""Writes the networks that `bench.rs` times: a perceptron and a convolutional network, with random weights."""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

numbers = np.random.default_rng(7)


def weight(name, *shape):
    scale = (2.0 / np.prod(shape[1:])) ** 0.5
    return numpy_helper.from_array((numbers.standard_normal(shape) * scale).astype(np.float32), name)


def save(path, nodes, weights, shape):
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 10])
    graph = helper.make_graph(nodes, "network", [given], [made], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def layers(sizes, source):
    nodes, weights = [], []
    for at, (before, after) in enumerate(zip(sizes, sizes[1:])):
        last = at + 2 == len(sizes)
        names = [source, f"w{at}", f"b{at}"]
        bias = numpy_helper.from_array(np.zeros(after, np.float32), names[2])
        weights += [weight(names[1], after, before), bias]
        nodes.append(helper.make_node("Gemm", names, ["y" if last else f"g{at}"], transB=1))
        if not last:
            nodes.append(helper.make_node("Relu", [f"g{at}"], [f"r{at}"]))
        source = f"r{at}"
    return nodes, weights


folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)

nodes, weights = layers([256, 1024, 1024, 10], "x")
save(folder / "perceptron.onnx", nodes, weights, [256])

# 28 × 28 grey pictures: two convolutions, a pool, two layers.
first = [
    helper.make_node("Conv", ["x", "c1"], ["a"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    helper.make_node("Relu", ["a"], ["b"]),
    helper.make_node("Conv", ["b", "c2"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    helper.make_node("Relu", ["c"], ["d"]),
    helper.make_node("MaxPool", ["d"], ["e"], kernel_shape=[2, 2], strides=[2, 2]),
    helper.make_node("Flatten", ["e"], ["f"]),
]
nodes, weights = layers([64 * 14 * 14, 128, 10], "f")
save(folder / "convolutions.onnx", first + nodes, [weight("c1", 32, 1, 3, 3), weight("c2", 64, 32, 3, 3), *weights], [1, 28, 28])
