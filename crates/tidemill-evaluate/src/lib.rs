//! Sliced evaluation: metrics, intervals, thresholds, blessing
