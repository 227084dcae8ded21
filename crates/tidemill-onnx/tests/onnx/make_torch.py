"""Small networks as PyTorch exports them, with what onnxruntime says of them.

    pip install torch onnx onnxscript onnxruntime
    python make_torch.py

writes the models beside this script and their part of `expected.json`, which make.py writes otherwise.
"""

import json
import math
import warnings
from pathlib import Path

import numpy
import onnx
import onnxruntime
import torch
from torch import nn

warnings.filterwarnings("ignore")
HERE = Path(__file__).parent
torch.manual_seed(1)
random = numpy.random.default_rng(3)
expected = json.loads((HERE / "expected.json").read_text())


def cell(value):
    return value if isinstance(value, (bool, int)) else None if math.isnan(value) else value


def table(value):
    array = numpy.asarray(value)
    return [[cell(v) for v in row] for row in array.reshape(array.shape[0], -1).tolist()]


def record(name, network, inputs, outputs, dynamo=False):
    """`inputs` by name, the first axis the rows."""
    path = HERE / f"{name}.onnx"
    given = tuple(torch.from_numpy(value[:2]) for value in inputs.values())
    names = {"input_names": list(inputs), "output_names": outputs}
    if dynamo:
        rows = torch.export.Dim("rows")
        shapes = tuple({0: rows} for _ in inputs)
        model = torch.onnx.export(network.eval(), given, dynamo=True, dynamic_shapes=shapes, **names).model_proto
        for node in model.graph.node:
            node.ClearField("metadata_props")
            node.ClearField("doc_string")
        path.write_bytes(model.SerializeToString())
    else:
        axes = {key: {0: "rows"} for key in [*inputs, *outputs]}
        torch.onnx.export(network.eval(), given, str(path), dynamo=False, opset_version=17, dynamic_axes=axes, **names)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(None, inputs)
    expected[name] = {
        "inputs": {key: table(value) for key, value in inputs.items()},
        "outputs": {key: table(value) for key, value in zip(outputs, found)},
    }
    print(name, path.stat().st_size, sorted({node.op_type for node in onnx.load(path).graph.node}))


class Embedded(nn.Module):
    """Numbers beside two categories, as in a recommender."""

    def __init__(self):
        super().__init__()
        self.city, self.kind = nn.Embedding(12, 4), nn.Embedding(5, 3)
        self.rest = nn.Sequential(nn.Linear(10, 8), nn.LeakyReLU(), nn.LayerNorm(8), nn.Linear(8, 1))

    def forward(self, numbers, codes):
        joined = torch.cat([numbers, self.city(codes[:, 0]), self.kind(codes[:, 1])], dim=1)
        score = self.rest(joined).squeeze(1)
        return torch.sigmoid(score), score


class Attention(nn.Module):
    """A sequence that looks at itself, then the mean of it."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = nn.Linear(3, 4), nn.Linear(3, 4), nn.Linear(3, 4)
        self.last = nn.Linear(4, 2)

    def forward(self, x):
        scores = self.query(x) @ self.key(x).transpose(1, 2) / 2.0
        return self.last((scores.softmax(dim=-1) @ self.value(x)).mean(dim=1))


numbers = random.normal(size=(6, 3)).astype(numpy.float32)
codes = numpy.stack([random.integers(0, 12, 6), random.integers(0, 5, 6)], axis=1)
images = random.normal(size=(5, 2, 8, 8)).astype(numpy.float32)
mlp = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3), nn.Softmax(dim=1))
cnn = nn.Sequential(
    nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, stride=2, groups=2), nn.Hardswish(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3), nn.LogSoftmax(dim=1),
)
modern = nn.Sequential(nn.Linear(3, 8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, 2), nn.Softmax(dim=1))

record("torch_mlp", mlp, {"x": numbers}, ["y"])
record("torch_embedding", Embedded(), {"numbers": numbers, "codes": codes}, ["probability", "score"])
record("torch_cnn", cnn, {"images": images}, ["y"])
record("torch_attention", Attention(), {"x": random.normal(size=(4, 5, 3)).astype(numpy.float32)}, ["y"])
record("torch_dynamo", modern, {"x": numbers}, ["y"], dynamo=True)
record("torch_cnn_dynamo", cnn, {"images": images}, ["y"], dynamo=True)

(HERE / "expected.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n")
