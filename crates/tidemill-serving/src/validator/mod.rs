//! x
/// x
pub struct InfraValidator;
