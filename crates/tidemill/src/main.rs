//! Production machine learning in one binary
fn main() {}
