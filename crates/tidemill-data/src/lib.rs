//! Examples: sources, formats, splits, statistics, schema inference, validation, reports
