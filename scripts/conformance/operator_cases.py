"""Writes the operator cases of the `onnx` package as JSON lines: a model, its inputs and the outputs that are right.

    operator_cases.py FILE [KEPT REFUSED]

KEPT is a file for a small case or two of every operator that is not in the list REFUSED. Elements are written as hexadecimal bytes, little-endian. `crates/tidemill-onnx/tests/it/operators.rs` reads the file.
"""

import json
import sys
import warnings

import numpy as np
import onnx
from onnx import helper, numpy_helper

warnings.simplefilter("ignore")

NAMES = {
    "FLOAT": "FP32", "UINT8": "UINT8", "INT8": "INT8", "UINT16": "UINT16", "INT16": "INT16", "INT32": "INT32",
    "INT64": "INT64", "STRING": "BYTES", "BOOL": "BOOL", "FLOAT16": "FP16", "DOUBLE": "FP64", "UINT32": "UINT32",
    "UINT64": "UINT64", "BFLOAT16": "BF16", "FLOAT8E4M3FN": "FP8_E4M3FN", "FLOAT8E4M3FNUZ": "FP8_E4M3FNUZ",
    "FLOAT8E5M2": "FP8_E5M2", "FLOAT8E5M2FNUZ": "FP8_E5M2FNUZ", "UINT4": "UINT4", "INT4": "INT4",
    "FLOAT4E2M1": "FP4_E2M1", "FLOAT8E8M0": "FP8_E8M0", "UINT2": "UINT2", "INT2": "INT2",
}


def tensor(value):
    """A tensor, a sequence of tensors, or nothing."""
    if value is None:
        return {"absent": True}
    if isinstance(value, (list, tuple)):
        return {"list": [tensor(item) for item in value]}
    if isinstance(value, onnx.TensorProto):
        number, array = value.data_type, numpy_helper.to_array(value)
    else:
        array = np.asarray(value)
        number = numpy_helper.from_array(array).data_type
    element = NAMES[onnx.TensorProto.DataType.Name(number)]
    shape = list(array.shape)
    if element == "BYTES":
        texts = [x.decode() if isinstance(x, bytes) else str(x) for x in array.reshape(-1).tolist()]
        return {"element": element, "shape": shape, "texts": texts}
    if element.startswith(("FP8", "FP4")):
        numbers = array.reshape(-1).astype(np.float32)
        return {"element": element, "shape": shape, "f32": numbers.astype("<f4").tobytes().hex()}
    if element == "BF16" or element == "FP16":
        numbers = array.reshape(-1).astype(np.float32)
        return {"element": element, "shape": shape, "f32": numbers.astype("<f4").tobytes().hex()}
    if element == "FP32":
        return {"element": element, "shape": shape, "f32": array.astype("<f4").tobytes().hex()}
    if element == "FP64":
        return {"element": element, "shape": shape, "f64": array.astype("<f8").tobytes().hex()}
    if element == "BOOL":
        return {"element": element, "shape": shape, "bools": array.astype(np.uint8).tobytes().hex()}
    numbers = array.reshape(-1).astype(np.uint64 if element == "UINT64" else np.int64)
    return {"element": element, "shape": shape, "i64": numbers.astype("<u8" if element == "UINT64" else "<i8").tobytes().hex()}


def main(path):
    from onnx.backend.test.case.model import collect_testcases as models
    from onnx.backend.test.case.node import collect_testcases as nodes

    cases = list(nodes(None)) + [case for case in models() if case.model is not None and case.kind == "simple"]
    with open(path, "w") as out:
        for case in cases:
            sets = [
                {"inputs": [tensor(x) for x in inputs], "outputs": [tensor(x) for x in outputs]}
                for inputs, outputs in case.data_sets
            ]
            domains = sorted({node.domain or "ai.onnx" for node in case.model.graph.node})
            json.dump(
                {
                    "name": case.name, "domains": domains, "rtol": case.rtol, "atol": case.atol,
                    "model": case.model.SerializeToString().hex(), "sets": sets,
                },
                out,
            )
            out.write("\n")
    print(f"{len(cases)} operator cases of onnx {onnx.__version__}")


def keep(cases, path, refused):
    """Writes the small cases that stand for their operators."""
    refused = {line.split(" · ")[0] for line in open(refused)}
    special = (
        "reverse", "gelu_tanh", "depthtospace_crd", "one_hot", "onehot", "softmax_axis", "split_equal",
        "attention_4d_causal", "attention_4d_softcap", "lstm_with_peepholes", "resize_upsample_sizes_nearest",
        "test_if", "test_loop", "test_scan9",
    )
    seen, kept = set(), []
    for line in open(cases):
        name = json.loads(line)["name"]
        if len(line) > 3000 or name in refused or "expanded" in name:
            continue
        key = "_".join(name.split("_")[:2])
        if key not in seen or any(part in name for part in special):
            seen.add(key)
            kept.append(line)
    with open(path, "w") as out:
        out.writelines(kept)
    print(f"{len(kept)} cases kept")


main(sys.argv[1])
if len(sys.argv) > 3:
    keep(sys.argv[1], sys.argv[2], sys.argv[3])
