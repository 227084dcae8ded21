//! The binary from outside: what it prints, what it returns, what it leaves behind.

mod bad_input;
mod daily;
mod drift;
mod evaluate;
mod help;
mod inspect;
mod kill;
mod serve;
mod sources;
mod support;
mod tools;
mod transform;
