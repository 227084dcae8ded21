"""Small models of texts as skl2onnx writes them, and operators that exporters seldom use, with what onnxruntime says of them.

    pip install scikit-learn skl2onnx onnxruntime
    python make_more.py

writes the models beside this script and their part of `expected.json`, which make.py writes otherwise.
"""

import json
import math
from pathlib import Path

import numpy
import onnxruntime
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import StringTensorType
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

HERE = Path(__file__).parent
expected = json.loads((HERE / "expected.json").read_text())
TEXTS = ["good food and good wine", "bad food", "the wine was good", "bad bad service", "never again", "nice place, nice people"] * 4
LABELS = numpy.array([1, 0, 1, 0, 0, 1] * 4)
ROWS = ["good wine", "GOOD wine and bad food", "nobody knows", "", "bad  service,again", "a good good good place"]


def plain(cell):
    cell = cell.item() if hasattr(cell, "item") else cell
    return None if isinstance(cell, float) and math.isnan(cell) else cell


def record(name, model, feeds):
    model.doc_string = ""
    for node in model.graph.node:
        # Otherwise onnxruntime asks for a language that a machine may not have.
        if node.op_type == "StringNormalizer" and not any(attribute.name == "locale" for attribute in node.attribute):
            node.attribute.append(helper.make_attribute("locale", "C.UTF-8"))
    path = HERE / f"{name}.onnx"
    path.write_bytes(model.SerializeToString())
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    outputs = session.run(None, feeds)
    table = lambda value: [[plain(cell) for cell in row] for row in numpy.asarray(value).reshape(len(ROWS), -1)]
    expected[name] = {
        "inputs": {key: table(value) for key, value in feeds.items()},
        "outputs": {node.name: table(value) for node, value in zip(session.get_outputs(), outputs)},
    }
    print(name, path.stat().st_size, sorted({f"{node.domain}:{node.op_type}" for node in model.graph.node}))


texts = numpy.array(ROWS, dtype=object).reshape(-1, 1)
for name, steps in [
    ("text_counts", CountVectorizer(ngram_range=(1, 2), token_pattern="[a-zA-Z0-9_]+")),
    ("text_tfidf", TfidfVectorizer(ngram_range=(1, 1), token_pattern="[a-zA-Z0-9_]+", sublinear_tf=False)),
]:
    pipeline = make_pipeline(steps, LogisticRegression()).fit(TEXTS, LABELS)
    options = {id(pipeline): {"zipmap": False}}
    types = [("text", StringTensorType([None, 1]))]
    model = to_onnx(pipeline, initial_types=types, options=options, target_opset={"": 18, "ai.onnx.ml": 3})
    record(name, model, {"text": texts})

# Runs with tokens left out, over codes, with weights.
node = helper.make_node(
    "TfIdfVectorizer", ["codes"], ["found"], mode="TFIDF", min_gram_length=1, max_gram_length=2, max_skip_count=2, ngram_counts=[0, 2],
    ngram_indexes=[3, 0, 1, 2], pool_int64s=[1, 2, 1, 2, 3, 3], weights=[0.5, 2.0, 1.5, 4.0],
)
codes = helper.make_tensor_value_info("codes", TensorProto.INT64, [None, 5])
found = helper.make_tensor_value_info("found", TensorProto.FLOAT, [None, 4])
model = helper.make_model(helper.make_graph([node], "runs", [codes], [found]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
values = numpy.array([[1, 2, 1, 2, 3], [3, 3, 3, 1, 1], [9, 9, 9, 9, 9], [2, 1, 3, 2, 3], [1, 9, 9, 2, 9], [3, 9, 3, 9, 3]], dtype=numpy.int64)
record("text_runs", model, {"codes": values})

# Trees of which the least or the largest counts, in both ways to write them.
old = {
    "nodes_treeids": [0, 0, 0, 1, 1, 1, 2], "nodes_nodeids": [0, 1, 2, 0, 1, 2, 0], "nodes_featureids": [0, 0, 0, 1, 0, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF", "BRANCH_LT", "LEAF", "LEAF", "LEAF"], "nodes_values": [0.5, 0, 0, -0.25, 0, 0, 0],
    "nodes_truenodeids": [1, 0, 0, 1, 0, 0, 0], "nodes_falsenodeids": [2, 0, 0, 2, 0, 0, 0],
    "target_treeids": [0, 0, 1, 1, 2], "target_nodeids": [1, 2, 1, 2, 0], "target_ids": [0] * 5, "target_weights": [0.5, -1.0, 2.0, -3.0, 0.25],
    "n_targets": 1, "base_values": [0.125],
}
double = lambda name, values: helper.make_tensor(name, TensorProto.DOUBLE, [len(values)], values)
new = {
    "tree_roots": [0, 1], "nodes_featureids": [0, 1], "nodes_splits": double("s", [0.5, -0.25]),
    "nodes_modes": helper.make_tensor("m", TensorProto.UINT8, [2], [0, 1]), "nodes_truenodeids": [0, 2], "nodes_falsenodeids": [1, 3],
    "nodes_trueleafs": [1, 1], "nodes_falseleafs": [1, 1], "leaf_targetids": [0] * 4, "leaf_weights": double("w", [0.5, -1.0, 2.0, -3.0]),
    "n_targets": 1,
}
numbers = numpy.array([[0, 0], [1, 0], [0, -1], [1, -1], [0.5, -0.25], [numpy.nan, 1]])
for name, attributes, kind, element in [
    ("trees_min", {**old, "aggregate_function": "MIN"}, "TreeEnsembleRegressor", TensorProto.FLOAT),
    ("trees_max", {**old, "aggregate_function": "MAX"}, "TreeEnsembleRegressor", TensorProto.FLOAT),
    ("trees_new_min", {**new, "aggregate_function": 2}, "TreeEnsemble", TensorProto.DOUBLE),
    ("trees_new_max", {**new, "aggregate_function": 3}, "TreeEnsemble", TensorProto.DOUBLE),
]:
    node = helper.make_node(kind, ["x"], ["y"], domain="ai.onnx.ml", **attributes)
    x, y = helper.make_tensor_value_info("x", element, [None, 2]), helper.make_tensor_value_info("y", element, [None, 1])
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 5 if kind == "TreeEnsemble" else 3)]
    model = helper.make_model(helper.make_graph([node], name, [x], [y]), opset_imports=imports, ir_version=8)
    record(name, model, {"x": numbers.astype(numpy.float32 if element == TensorProto.FLOAT else numpy.float64)})

(HERE / "expected.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n")
