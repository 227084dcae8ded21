"""Records what NannyML 0.13.1 says of rows of its own car-loan data, for crates/tidemill-monitor/tests/it/nannyml.rs.

    pip download nannyml==0.13.1 --no-deps && unzip nannyml-*.whl -d nannyml-wheel
    python record_nannyml.py nannyml-wheel OUT.json        needs numpy, pandas, scikit-learn

The functions are those of the wheel, taken out of its source: the package itself needs many others. Rows are few so that
the file stays small. NannyML's calibrator is scikit-learn's isotonic regression with clipping.
"""

import ast
import json
import pathlib
import sys
from typing import Optional, Union

import numpy as np
import pandas as pd
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import auc

wheel = pathlib.Path(sys.argv[1]) / "nannyml"
source = (wheel / "performance_estimation/confidence_based/metrics.py").read_text()
functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name.startswith("estimate_")]
nannyml = {"np": np, "pd": pd, "auc": auc, "Union": Union, "Optional": Optional}
exec(compile(ast.Module(functions, []), "metrics.py", "exec"), nannyml)

data = wheel / "datasets/data"
reference = pd.read_csv(data / "synthetic_car_loan_reference.csv")[:1500]
analysis = pd.read_csv(data / "synthetic_car_loan_analysis.csv")[-1500:]
p_ref, y_ref = reference["y_pred_proba"].to_numpy(), reference["repaid"].to_numpy()
p, called = analysis["y_pred_proba"].to_numpy(), analysis["y_pred"].to_numpy()
calibrator = IsotonicRegression(out_of_bounds="clip", increasing=True).fit(p_ref, y_ref)
calibrated = np.asarray(calibrator.predict(p), dtype=float)


def estimates(probabilities):
    return {
        "roc_auc": float(nannyml["estimate_roc_auc"](probabilities, p)),
        "accuracy": float(nannyml["estimate_accuracy"](called, probabilities)),
        "precision": float(nannyml["estimate_precision"](called, probabilities)),
        "recall": float(nannyml["estimate_recall"](called, probabilities)),
        "f1": float(nannyml["estimate_f1"](called, probabilities)),
    }


recorded = {
    "made_by": "bench/monitor/record_nannyml.py with nannyml 0.13.1",
    "reference": [[float(a), int(b)] for a, b in zip(p_ref, y_ref)],
    "analysis": [[float(a), int(b)] for a, b in zip(p, called)],
    "calibrated": [round(float(a), 9) for a in calibrated],
    "raw": estimates(p),
    "estimated": estimates(calibrated),
}
pathlib.Path(sys.argv[2]).write_text(json.dumps(recorded, separators=(",", ":")) + "\n")
print(recorded["raw"], recorded["estimated"])
