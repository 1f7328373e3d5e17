//! An auth server that is a value: makes keys, publishes them, mints tokens, fails when told to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::clock::TestClock;
use super::signing_key::SigningKey;
use super::token::TestToken;
use crate::algorithm::Algorithm;
use crate::clock::Clock;
use crate::keys::KeySource;
use crate::keys::fetch::{FetchError, FetchFuture, FetchKeySet, Fetched};
use crate::keys::remote::RemoteKeySet;
use crate::policy::Policy;
use crate::verifier::{Verifier, VerifierBuilder};

/// Better Auth's default lifetime.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// That of an access token of `@better-auth/oauth-provider`.
const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// An issuer that behaves as Better Auth's jwt plugin does by default: see the [module](super).
/// Clones are one issuer.
#[derive(Clone, Debug)]
pub struct TestIssuer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    url: String,
    clock: TestClock,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    keys: Vec<Arc<SigningKey>>,
    keys_made: usize,
    outage: Option<Outage>,
}

/// How an auth server is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outage {
    /// Nobody answers; connections are closed.
    Unreachable,
    /// Connections are taken and never answered.
    Silent,
    /// Every answer has this status.
    Status(u16),
    /// 429 with Better Auth's `X-Retry-After`.
    RateLimited {
        /// How long it asks to be left alone, in whole seconds.
        retry_after: Duration,
    },
}

impl TestIssuer {
    /// An issuer with one EdDSA key. `url` is its `iss` and the `aud` of its tokens.
    ///
    /// # Panics
    /// When the operating system has no randomness.
    pub fn new(url: impl Into<String>) -> Self {
        Self::with_algorithm(url, Algorithm::EdDsa)
    }

    /// An issuer with one key of the given algorithm.
    ///
    /// # Panics
    /// When the operating system has no randomness.
    pub fn with_algorithm(url: impl Into<String>, algorithm: Algorithm) -> Self {
        let issuer = Self(Arc::new(Inner {
            url: url.into(),
            clock: TestClock::new(),
            state: Mutex::new(State {
                keys: Vec::new(),
                keys_made: 0,
                outage: None,
            }),
        }));
        issuer.rotate(algorithm);
        issuer
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its URL: issuer and audience.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// Its clock, which its tokens' times come from and which the verifiers that it gives go by.
    pub fn clock(&self) -> &TestClock {
        &self.0.clock
    }

    /// Seconds since the epoch, on its clock.
    pub(super) fn unix_time(&self) -> u64 {
        self.clock()
            .now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    }
}

/// Verifiers that trust it.
impl TestIssuer {
    /// A verifier that accepts its users' tokens: the one that `Verifier::for_better_auth` gives for its
    /// URL, except that it fetches in this process and goes by [`clock`](Self::clock).
    ///
    /// OAuth access tokens, [`client`](Self::client)'s among them, have another issuer, which it does
    /// not accept: see [`verifier_for`](Self::verifier_for).
    ///
    /// # Panics
    /// When the issuer's URL is empty.
    pub fn verifier<C: DeserializeOwned>(&self) -> Verifier<C> {
        let policy = Policy::new([self.url()], [self.url()]).expect("an issuer's URL is not empty");
        self.verifier_for(policy).build()
    }

    /// Sets up a verifier with its keys and clock and the application's own policy.
    pub fn verifier_for(&self, policy: Policy) -> VerifierBuilder {
        Verifier::builder(policy, self.key_source()).clock(self.clock().clone())
    }

    /// Its keys as a verifier sees them: fetched from this very value, so that rotations, dropped
    /// keys and outages have the effect that they have in production.
    pub fn key_source(&self) -> KeySource {
        RemoteKeySet::new(self.clone(), Default::default()).into()
    }
}

/// Keys.
impl TestIssuer {
    /// Signs with a new key from now on. The old ones stay published.
    ///
    /// # Panics
    /// When the operating system has no randomness.
    pub fn rotate(&self, algorithm: Algorithm) {
        let mut state = self.state();
        state.keys_made += 1;
        let id = format!("key-{}", state.keys_made);
        state
            .keys
            .push(Arc::new(SigningKey::generate(id, algorithm)));
    }

    /// Publishes and signs with the newest key only.
    pub fn drop_old_keys(&self) {
        let mut state = self.state();
        let newest = state.keys.len().saturating_sub(1);
        state.keys.drain(..newest);
    }

    /// The key it signs with.
    ///
    /// # Panics
    /// Never: an issuer has a key from the start.
    pub fn key(&self) -> Arc<SigningKey> {
        self.state()
            .keys
            .last()
            .expect("an issuer has a key")
            .clone()
    }

    /// The key set document that `/api/auth/jwks` serves.
    pub fn key_set_json(&self) -> Vec<u8> {
        let keys: Vec<Value> = self
            .state()
            .keys
            .iter()
            .map(|key| key.public_jwk())
            .collect();
        json!({ "keys": keys }).to_string().into_bytes()
    }

    /// Is away from now on, until [`recover`](Self::recover). Tokens can be minted all the same.
    pub fn fail(&self, outage: Outage) {
        self.state().outage = Some(outage);
    }

    /// Answers again.
    pub fn recover(&self) {
        self.state().outage = None;
    }

    pub(crate) fn outage(&self) -> Option<Outage> {
        self.state().outage
    }
}

/// Tokens.
impl TestIssuer {
    /// A user's token as `/api/auth/token` gives it, to be changed before it is signed.
    pub fn user(&self, id: &str) -> TestToken {
        TestToken::new(self.clone(), self.claims(id))
    }

    /// An access token that `@better-auth/oauth-provider` gives a client acting for a user:
    /// `typ` `at+jwt` (RFC 9068), issuer `{url}/api/auth`, for an hour. It says nothing of the user
    /// but the id.
    pub fn access_token(&self, client_id: &str, user_id: &str) -> TestToken {
        self.oauth(client_id, user_id)
            .claim("sid", "session-of-the-user")
    }

    /// An access token of a client acting for itself (client credentials, RFC 6749 §4.4): as
    /// [`access_token`](Self::access_token), with the client as its subject.
    pub fn client(&self, client_id: &str) -> TestToken {
        self.oauth(client_id, client_id)
    }

    fn oauth(&self, client_id: &str, subject: &str) -> TestToken {
        let now = self.unix_time();
        let claims = json!({
            "sub": subject,
            "aud": self.url(),
            "client_id": client_id,
            "azp": client_id,
            "iss": format!("{}/api/auth", self.url()),
            "iat": now,
            "exp": now.saturating_add(ACCESS_TOKEN_LIFETIME.as_secs()),
            "jti": format!("{subject}-{now}"),
        });
        TestToken::new(self.clone(), claims).typ("at+jwt")
    }

    /// A user's token, as it comes: `issuer.user(id).token()`.
    pub fn token(&self, user_id: &str) -> String {
        self.user(user_id).token()
    }

    /// Better Auth's payload for a user, valid from now for 15 minutes.
    pub fn claims(&self, user_id: &str) -> Value {
        let now = self.unix_time();
        json!({
            "iat": now,
            "name": "Ada Lovelace",
            "email": "ada@example.com",
            "emailVerified": true,
            "image": null,
            "createdAt": "2026-11-23T16:12:02.423Z",
            "updatedAt": "2026-11-23T16:12:02.423Z",
            "role": "user",
            "id": user_id,
            "sub": user_id,
            "exp": now.saturating_add(LIFETIME.as_secs()),
            "iss": self.url(),
            "aud": self.url(),
        })
    }

    /// A token that says `claims`, whatever they are.
    pub fn sign(&self, claims: &Value) -> String {
        let key = self.key();
        key.sign(key.header().to_string(), claims.to_string())
    }
}

impl FetchKeySet for TestIssuer {
    fn fetch(&self, _if_none_match: Option<String>) -> FetchFuture<'_> {
        Box::pin(async move {
            let status = |status, retry_after| FetchError::Status {
                status,
                retry_after,
            };
            match self.outage() {
                None => Ok(Fetched::document(self.key_set_json())),
                Some(Outage::Unreachable) => Err(FetchError::Connect),
                Some(Outage::Silent) => std::future::pending().await,
                Some(Outage::Status(code)) => Err(status(code, None)),
                Some(Outage::RateLimited { retry_after }) => Err(status(429, Some(retry_after))),
            }
        })
    }
}
