//! Learners: histogram gradient boosting.

pub mod gbdt;
