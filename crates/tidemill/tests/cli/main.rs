//! The binary from outside: what it prints, what it returns, what it leaves behind.

mod bad_input;
mod bucket;
mod daily;
mod drift;
mod evaluate;
mod help;
mod inspect;
mod kill;
mod remote;
mod loadtest;
mod serve;
mod sources;
mod sql;
mod support;
mod tools;
mod transform;
