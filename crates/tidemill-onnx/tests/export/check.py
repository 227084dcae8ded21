"""What onnxruntime says of `model.onnx` for the rows of `rows.json`, both in the folder given; called by `tests/export.rs`.

Prints a JSON list of predictions, or exits with 3 and a reason where onnxruntime is not installed.
"""

import json
import math
import sys
from pathlib import Path

try:
    import numpy
    import onnxruntime
except ImportError as error:
    print(f"{error}: pip install onnxruntime", file=sys.stderr)
    sys.exit(3)

folder = Path(sys.argv[1])
session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
columns = json.loads((folder / "rows.json").read_text())
special = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
types = {"tensor(double)": numpy.float64, "tensor(int64)": numpy.int64, "tensor(bool)": bool, "tensor(string)": object}
feeds = {}
for node in session.get_inputs():
    cells = columns[node.name]
    if node.type == "tensor(double)":
        cells = [special[cell] if isinstance(cell, str) else math.nan if cell is None else cell for cell in cells]
    if node.type == "tensor(string)":
        cells = ["" if cell is None else cell for cell in cells]
    feeds[node.name] = numpy.array(cells, dtype=types[node.type])
(output,) = session.run(None, feeds)
print(json.dumps([str(value) if not math.isfinite(value) else value for value in output.tolist()]))
