//! The model package: manifest, signatures, transform graph, learner, the row and batch executor
