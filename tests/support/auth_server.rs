//! An auth server as a key set sees it: a fetcher that answers what the test tells it to.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward::{
    FetchError, FetchFuture, FetchKeySet, Fetched, Policy, RefreshOptions, RemoteKeySet, Verifier,
};

/// How the server answers.
#[derive(Clone, Debug)]
pub enum Reply {
    Document(Vec<u8>),
    Fetched(Fetched),
    Fail(FetchError),
    Hang,
    Panic,
}

/// Counts fetches and answers as told, after a delay. Clones are one server.
#[derive(Clone, Debug)]
pub struct AuthServer(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    reply: Reply,
    delay: Duration,
    fetches: usize,
    validators: Vec<Option<String>>,
}

impl AuthServer {
    pub fn new(document: Vec<u8>) -> Self {
        let state = State {
            reply: Reply::Document(document),
            delay: Duration::from_millis(200),
            fetches: 0,
            validators: Vec::new(),
        };
        Self(Arc::new(Mutex::new(state)))
    }

    pub fn replies(&self, reply: Reply) {
        self.0.lock().unwrap().reply = reply;
    }

    /// Without the usual delay.
    pub fn answers_at_once(&self) {
        self.0.lock().unwrap().delay = Duration::ZERO;
    }

    pub fn fetches(&self) -> usize {
        self.0.lock().unwrap().fetches
    }

    /// The `if_none_match` of each fetch.
    pub fn validators(&self) -> Vec<Option<String>> {
        self.0.lock().unwrap().validators.clone()
    }

    pub fn key_set(&self) -> RemoteKeySet {
        RemoteKeySet::new(self.clone(), RefreshOptions::default())
    }

    /// A verifier for tokens of `issuer`, with keys from this server.
    pub fn verifier(&self, issuer: &str) -> Verifier {
        Verifier::builder(Policy::new([issuer], [issuer]).unwrap(), self.key_set()).build()
    }
}

impl FetchKeySet for AuthServer {
    fn fetch(&self, if_none_match: Option<String>) -> FetchFuture<'_> {
        let (reply, delay) = {
            let mut state = self.0.lock().unwrap();
            state.fetches += 1;
            state.validators.push(if_none_match);
            (state.reply.clone(), state.delay)
        };
        Box::pin(async move {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            match reply {
                Reply::Document(body) => Ok(Fetched::document(body)),
                Reply::Fetched(fetched) => Ok(fetched),
                Reply::Fail(error) => Err(error),
                Reply::Hang => std::future::pending().await,
                Reply::Panic => panic!("a fetcher that panics"),
            }
        })
    }
}
