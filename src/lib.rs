//! Verifies Better Auth JWTs.

#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod algorithm;
mod authorization;
mod bearer;
mod claims;
mod clock;
mod error;
#[cfg(any(feature = "tower", feature = "poem"))]
mod gate;
mod json;
mod jws;
mod keys;
mod policy;
mod problem;
mod verifier;

#[cfg(feature = "poem")]
pub mod poem;
#[cfg(feature = "tower")]
pub mod tower;

#[cfg(feature = "service")]
#[doc(hidden)]
pub mod service;
#[cfg(feature = "testing")]
pub mod testing;

pub use algorithm::{Algorithm, AlgorithmSet, UnknownAlgorithm};
pub use authorization::{Forbidden, Requirement};
pub use bearer::Rejection;
pub use claims::{BetterAuthUser, Claims, Principal, Verified};
pub use clock::{Clock, SystemClock};
pub use error::{Claim, VerifyError};
pub use keys::KeySource;
pub use keys::fetch::{FetchError, FetchFuture, FetchKeySet, Fetched};
#[cfg(feature = "remote")]
pub use keys::http::{BetterAuthUrl, HttpFetcher, UrlError};
pub use keys::key::{SkipReason, VerifyingKey};
pub use keys::key_set::{KeyOutcome, KeySet, KeySetError};
pub use keys::refresh::RefreshOptions;
pub use keys::remote::{KeySetStatus, RefreshError, RemoteKeySet};
pub use policy::{Policy, PolicyError};
pub use problem::{PROBLEM_JSON, Problem, TraceId, Violation};
pub use verifier::{Verifier, VerifierBuilder};
