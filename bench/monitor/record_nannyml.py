"""Records what NannyML 0.13.1 says of rows of its own car-loan data, for crates/tidemill-monitor/tests/it/nannyml.rs.

    python record_nannyml.py OUT.json

Rows are few so that the file stays small; figures are NannyML's own functions on its own calibration.
"""

import json
import sys

import nannyml as nml
import numpy as np
from nannyml.calibration import IsotonicCalibrator
from nannyml.performance_estimation.confidence_based import metrics as m

reference, analysis, _ = nml.load_synthetic_car_loan_dataset()
reference, analysis = reference[:1500], analysis[-1500:]
p_ref, y_ref = reference["y_pred_proba"].to_numpy(), reference["repaid"].to_numpy()
p, called = analysis["y_pred_proba"].to_numpy(), analysis["y_pred"].to_numpy()
calibrator = IsotonicCalibrator()
calibrator.fit(p_ref, y_ref)
calibrated = np.asarray(calibrator.calibrate(p), dtype=float)


def estimates(probabilities):
    return {
        "roc_auc": float(m.estimate_roc_auc(probabilities, p)),
        "accuracy": float(m.estimate_accuracy(called, probabilities)),
        "precision": float(m.estimate_precision(called, probabilities)),
        "recall": float(m.estimate_recall(called, probabilities)),
        "f1": float(m.estimate_f1(called, probabilities)),
    }


json.dump(
    {
        "made_by": f"bench/monitor/record_nannyml.py with nannyml {nml.__version__}",
        "reference": [[float(a), int(b)] for a, b in zip(p_ref, y_ref)],
        "analysis": [[float(a), int(b)] for a, b in zip(p, called)],
        "calibrated": [round(float(a), 9) for a in calibrated],
        "raw": estimates(p),
        "estimated": estimates(calibrated),
    },
    open(sys.argv[1], "w"),
    separators=(",", ":"),
)
