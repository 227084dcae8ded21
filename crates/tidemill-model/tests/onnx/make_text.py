"""Small models of texts as skl2onnx writes them, with what onnxruntime says of them.

    pip install scikit-learn skl2onnx onnxruntime
    python make_text.py

writes the models beside this script and their part of `expected.json`, which make.py writes otherwise.
"""

import json
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
    table = lambda value: [[cell.item() if hasattr(cell, "item") else cell for cell in row] for row in numpy.asarray(value).reshape(len(ROWS), -1)]
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

(HERE / "expected.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n")
