//! Verifies Better Auth JWTs.

#[cfg(feature = "service")]
#[doc(hidden)]
pub mod service;
