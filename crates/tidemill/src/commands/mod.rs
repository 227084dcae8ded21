//! What each command does. A command returns the exit code, or a failure that becomes one.

mod completions;
mod data;
mod drift;
mod evaluate;
mod explain;
mod init;
mod input;
mod inspect;
mod lineage;
mod model;
mod models;
mod pipeline;
mod predict;
mod report;
mod sample;
mod schema;
mod serve;
mod transform;
