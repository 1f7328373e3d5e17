//! The plain `tracing` spans of the library, as any subscriber gets them.
//!
//! One test, since `tracing` asks the subscriber of whichever thread comes first whether a span is
//! wanted.

#[path = "support/auth_server.rs"]
mod auth_server;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use auth_server::AuthServer;
use keyward::testing::TestIssuer;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

const URL: &str = "https://app.example.com";

/// The fields of each span that has ended, by name, with its parent.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Ended>>>);

#[derive(Clone, Debug)]
struct Ended {
    name: &'static str,
    parent: Option<&'static str>,
    fields: BTreeMap<String, String>,
}

struct Fields<'f>(&'f mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let value = format!("{value:?}").trim_matches('"').to_owned();
        self.0.insert(field.name().to_owned(), value);
    }
}

impl<S> Layer<S> for Spans
where
    S: tracing::Subscriber + for<'s> LookupSpan<'s>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = BTreeMap::new();
        attributes.record(&mut Fields(&mut fields));
        context.span(id).unwrap().extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let mut extensions = span.extensions_mut();
        values.record(&mut Fields(extensions.get_mut().unwrap()));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).unwrap();
        let fields = span.extensions_mut().remove().unwrap();
        self.0.lock().unwrap().push(Ended {
            name: span.name(),
            parent: span.parent().map(|parent| parent.name()),
            fields,
        });
    }
}

#[tokio::test(start_paused = true)]
async fn any_subscriber_gets_the_spans() {
    let spans = Spans::default();
    let subscriber = tracing_subscriber::registry().with(spans.clone());
    let _guard = tracing::subscriber::set_default(subscriber);

    let issuer = TestIssuer::new(URL);
    let auth = AuthServer::new(issuer.key_set_json());
    let verifier = auth.verifier(URL);
    verifier.verify(&issuer.token("user-ada")).await.unwrap();
    issuer.rotate(keyward::Algorithm::Es256);
    auth.replies(auth_server::Reply::Document(issuer.key_set_json()));
    verifier.verify(&issuer.token("user-ada")).await.unwrap();
    verifier.verify("garbage").await.unwrap_err();
    drop(verifier);
    tokio::task::yield_now().await;

    let ended = spans.0.lock().unwrap().clone();
    let verifications: Vec<&Ended> = ended
        .iter()
        .filter(|span| span.name == "verify_token")
        .collect();
    let field = |at: usize, name: &str| verifications[at].fields.get(name).map(String::as_str);
    assert_eq!(verifications.len(), 3, "{ended:?}");
    assert_eq!(field(0, "keyward.outcome"), Some("accepted"));
    assert_eq!(field(0, "keyward.algorithm"), Some("EdDSA"));
    assert_eq!(field(1, "keyward.algorithm"), Some("ES256"));
    assert_eq!(field(1, "keyward.cache"), Some("miss"));
    assert_eq!(field(2, "keyward.outcome"), Some("refused"));
    assert_eq!(field(2, "error.type"), Some("token_malformed"));
    assert_eq!(field(2, "keyward.key.id"), None);
    let asked_for = ended
        .iter()
        .find(|span| span.name == "refresh_key_set" && span.parent == Some("verify_token"));
    assert_eq!(asked_for.unwrap().fields["keyward.result"], "succeeded");
    let told = format!("{ended:?}");
    assert!(!told.contains("user-ada") && !told.contains("@"), "{told}");
}
