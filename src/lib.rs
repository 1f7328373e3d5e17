//! Verifies Better Auth JWTs.

mod problem;
pub use problem::{PROBLEM_JSON, Problem, TraceId};

#[cfg(feature = "service")]
#[doc(hidden)]
pub mod service;
