//! A row of the attack table.

use serde_json::Value;

use crate::lab;

/// A token that somebody sends, and what becomes of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is, to be read in a failure.
    pub name: String,
    /// The key set it meets.
    pub keys: Value,
    pub token: String,
    /// The code of [`keyward::VerifyError`], or "accepted".
    pub expected: &'static str,
    /// The code behind a Tower layer and in the service, where the characters of the token already
    /// decide before it is looked at.
    pub over_http: &'static str,
    /// The service's code, where it differs once more; a bare number is the status of an answer that
    /// comes from the HTTP library.
    pub in_service: &'static str,
}

impl Case {
    pub fn new(name: impl Into<String>, token: impl Into<String>, expected: &'static str) -> Self {
        Self {
            name: name.into(),
            keys: lab::key_set(),
            token: token.into(),
            expected,
            over_http: expected,
            in_service: expected,
        }
    }

    /// With another key set than the lab's.
    pub fn keys(mut self, keys: Value) -> Self {
        self.keys = keys;
        self
    }

    pub fn over_http(mut self, code: &'static str) -> Self {
        self.over_http = code;
        self.in_service = code;
        self
    }

    pub fn in_service(mut self, code: &'static str) -> Self {
        self.in_service = code;
        self
    }
}

/// A request that has its token somewhere or other.
#[derive(Clone, Debug)]
pub struct Request {
    pub name: &'static str,
    /// What follows the path.
    pub query: String,
    pub headers: Vec<(&'static str, Vec<u8>)>,
    pub expected: &'static str,
    pub in_service: &'static str,
}

impl Request {
    pub fn new(
        name: &'static str,
        headers: impl IntoIterator<Item = (&'static str, String)>,
        expected: &'static str,
    ) -> Self {
        let bytes = |(name, value): (_, String)| (name, value.into_bytes());
        Self {
            name,
            query: String::new(),
            headers: headers.into_iter().map(bytes).collect(),
            expected,
            in_service: expected,
        }
    }

    pub fn query(mut self, query: String, in_service: &'static str) -> Self {
        self.query = query;
        self.in_service = in_service;
        self
    }
}
