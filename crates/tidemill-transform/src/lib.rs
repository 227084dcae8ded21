//! Fitting a transform graph: analyzers over examples
