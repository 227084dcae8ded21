//! The binary from outside: what it prints, what it returns, what it leaves behind.

mod bad_input;
mod bucket;
mod daily;
mod drift;
mod evaluate;
mod features;
mod foreign;
mod help;
mod history;
mod inference_log;
mod inspect;
mod kill;
mod kinds;
mod loadtest;
mod remote;
mod schema;
mod serve;
mod sources;
mod sql;
mod support;
mod tools;
mod transform;
mod watch;
