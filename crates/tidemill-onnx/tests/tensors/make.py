"""Makes the models of tensors, and the answers of ONNX Runtime to them: `python make.py` in this folder.

`types`: every element type of the protocols, three dimensions, a scalar without rows, and a dimension by name.
`softmax_rows`, `mean_rows`, `quantised`: models whose rows are not independent. `alone`: one whose rows are.
"""

import json

import numpy as np
import onnxruntime
from onnx import TensorProto as T
from onnx import helper as h


def save(name, nodes, inputs, outputs, initializers=(), opset=18):
    graph = h.make_graph(nodes, name, inputs, outputs, list(initializers))
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], ir_version=9)
    with open(f"{name}.onnx", "wb") as file:
        file.write(model.SerializeToString())


def value(name, kind, shape):
    return h.make_tensor_value_info(name, kind, shape)


kinds = {
    "u8": T.UINT8, "i8": T.INT8, "u16": T.UINT16, "i16": T.INT16, "i32": T.INT32, "u32": T.UINT32, "i64": T.INT64,
    "u64": T.UINT64, "f16": T.FLOAT16, "f32": T.FLOAT, "f64": T.DOUBLE, "bool": T.BOOL, "text": T.STRING,
}
nodes = [h.make_node("Identity", [name], [f"{name}_out"]) for name in kinds]
nodes += [
    h.make_node("Add", ["f32", "f32"], ["twice"]),
    h.make_node("ReduceSum", ["i32"], ["total"], keepdims=0),
]
save(
    "types",
    nodes,
    [value(name, kind, ["batch", 2, 1]) for name, kind in kinds.items()],
    [value(f"{name}_out", kind, ["batch", 2, 1]) for name, kind in kinds.items()]
    + [value("twice", T.FLOAT, ["batch", 2, 1]), value("total", T.INT32, [])],
)

rng = np.random.default_rng(1)
weights = h.make_tensor("W", T.FLOAT, [4, 3], rng.normal(size=12).astype(np.float32).tolist())
x, y = [value("X", T.FLOAT, ["N", 4])], [value("Y", T.FLOAT, ["N", 3])]
product = h.make_node("MatMul", ["X", "W"], ["Z"])
save("alone", [product, h.make_node("Softmax", ["Z"], ["Y"], axis=1)], x, y, [weights])
save("softmax_rows", [product, h.make_node("Softmax", ["Z"], ["Y"], axis=0)], x, y, [weights])
save(
    "mean_rows",
    [product, h.make_node("ReduceMean", ["Z", "axes"], ["M"], keepdims=1), h.make_node("Sub", ["Z", "M"], ["Y"])],
    x, y, [weights, h.make_tensor("axes", T.INT64, [1], [0])],
)
codes = h.make_tensor("W8", T.INT8, [4, 3], rng.integers(-100, 100, 12).tolist())
scale = h.make_tensor("scale", T.FLOAT, [], [0.02])
save(
    "quantised",
    [
        h.make_node("DynamicQuantizeLinear", ["X"], ["Q", "s", "z"]),
        h.make_node("MatMulInteger", ["Q", "W8", "z"], ["I"]),
        h.make_node("Cast", ["I"], ["F"], to=T.FLOAT),
        h.make_node("Mul", ["s", "scale"], ["both"]),
        h.make_node("Mul", ["F", "both"], ["Y"]),
    ],
    x, y, [codes, scale],
)

rows = [[0.1, 0.2, 0.3, 0.4], [1000, -2000, 3000, 500]]
expected = {}
for name in ["alone", "softmax_rows", "mean_rows", "quantised"]:
    session = onnxruntime.InferenceSession(f"{name}.onnx")
    run = lambda given: session.run(None, {"X": np.array(given, np.float32)})[0].tolist()
    expected[name] = {"alone": run(rows[:1]), "both": run(rows)}
with open("expected.json", "w") as file:
    json.dump({"rows": rows, "models": expected}, file, indent=1)
    file.write("\n")
