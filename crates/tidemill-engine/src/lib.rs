//! SQL over examples and statistics.
