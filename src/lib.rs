//! Verifies Better Auth JWTs.

#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod problem;
pub use problem::{PROBLEM_JSON, Problem, TraceId};

#[cfg(feature = "service")]
#[doc(hidden)]
pub mod service;
