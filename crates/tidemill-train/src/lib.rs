//! Learners: histogram gradient boosting
