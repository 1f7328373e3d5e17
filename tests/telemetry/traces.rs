//! Traces, as a real OTLP receiver gets them.

use super::otlp_receiver::{Span, SpanKind};
use super::*;

/// Everything that a request leaves, over one protocol.
async fn requests_leave_their_traces(endpoint: &str, protocol: &str, receiver: &OtlpReceiver) {
    let observed = Observed::exporting_to(endpoint, protocol, &[]).await;

    // Accepted, in the caller's trace.
    let good = observed.issuer.token("user-ada");
    let headers = [("traceparent", &*sampled()), ("tracestate", "vendor=1")];
    let response = observed.get("/api/tasks", &good, &headers).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-request-id"], TRACE);
    let in_trace =
        |name: &'static str| move |span: &Span| span.trace_id == TRACE && span.name == name;
    let server = receiver.wait_for(in_trace("GET /api/tasks")).await;
    assert_eq!(server.kind, SpanKind::Server);
    assert_eq!(server.parent_span_id.as_deref(), Some(CALLER));
    assert_eq!(server.status.0, 0);
    assert_eq!(server.resource["service.name"], "keyward");
    assert_eq!(
        server.attributes,
        attributes(&[
            ("http.request.method", "GET".into()),
            ("http.response.status_code", 200.into()),
            ("http.route", "/api/tasks".into()),
            ("url.scheme", "http".into()),
        ])
    );
    let mut verification = receiver.wait_for(in_trace("verify_token")).await;
    assert!(verification.is_child_of(&server));
    assert_eq!(verification.kind, SpanKind::Internal);
    let age = verification.attributes.remove("keyward.key_set.age");
    assert!(age.unwrap().as_f64().unwrap() < 60.0);
    assert_eq!(
        verification.attributes,
        attributes(&[
            ("keyward.algorithm", "EdDSA".into()),
            ("keyward.cache", "miss".into()),
            ("keyward.issuer", (*observed.auth.url).into()),
            ("keyward.key.id", observed.issuer.key().id().into()),
            ("keyward.outcome", "accepted".into()),
        ])
    );
    let query = receiver.wait_for(in_trace("SELECT tasks")).await;
    assert!(query.is_child_of(&server));
    assert_eq!(query.kind, SpanKind::Client);
    assert_eq!(
        query.attributes,
        attributes(&[
            ("db.collection.name", "tasks".into()),
            ("db.operation.name", "SELECT".into()),
            ("db.query.summary", "SELECT tasks".into()),
            ("db.system.name", "sqlite".into()),
        ])
    );

    // With a key that is fetched for it, and from the cache the second time.
    observed.issuer.rotate(keyward::Algorithm::Es256);
    observed.auth.publishes(&observed.issuer);
    let rotated = observed.issuer.token("user-ada");
    let caller = sampled().replace(TRACE, &TRACE.replace('4', "5"));
    let trace = TRACE.replace('4', "5");
    for _ in 0..2 {
        let headers = [("traceparent", &*caller), ("tracestate", "vendor=1")];
        let response = observed.get("/api/me", &rotated, &headers).await;
        assert_eq!(response.status(), 200);
    }
    let is = |name: &'static str, attribute: &'static str, value: &'static str| {
        let trace = trace.clone();
        move |span: &Span| {
            span.trace_id == trace && span.name == name && span.text(attribute) == Some(value)
        }
    };
    let waited = receiver
        .wait_for(is("verify_token", "keyward.cache", "miss"))
        .await;
    assert_eq!(waited.text("keyward.algorithm"), Some("ES256"));
    let refresh = receiver
        .wait_for(is("refresh_key_set", "keyward.result", "succeeded"))
        .await;
    assert!(refresh.is_child_of(&waited));
    assert_eq!(refresh.attributes["keyward.key_set.keys"], 2);
    let fetch = receiver
        .wait_for(is("GET", "http.request.method", "GET"))
        .await;
    assert!(fetch.is_child_of(&refresh));
    assert_eq!(fetch.kind, SpanKind::Client);
    assert_eq!(
        fetch.attributes,
        attributes(&[
            ("http.request.method", "GET".into()),
            ("http.response.status_code", 200.into()),
            ("server.address", "127.0.0.1".into()),
            ("server.port", port(&observed.auth.url).into()),
            (
                "url.full",
                format!("{}/api/auth/jwks", observed.auth.url).into()
            ),
        ])
    );
    let request = observed.auth.requests().pop().unwrap();
    let carried = format!("00-{trace}-{}-01", fetch.span_id);
    assert_eq!(request["traceparent"], &*carried);
    assert_eq!(request["tracestate"], "vendor=1");
    receiver
        .wait_for(is("verify_token", "keyward.cache", "hit"))
        .await;

    // Refused: found by what its problem document says.
    let response = observed.get("/api/me", &observed.expired(), &[]).await;
    let problem = problem(response).await;
    let trace_id = problem["traceId"].as_str().unwrap();
    let server = receiver
        .wait_for(|span| span.trace_id == trace_id && span.kind == SpanKind::Server)
        .await;
    assert_eq!(
        (&*server.name, server.parent_span_id.as_ref()),
        ("GET /api/me", None)
    );
    assert_eq!(server.attributes["http.response.status_code"], 401);
    assert_eq!(server.text("keyward.problem.code"), Some("token_expired"));
    // What the caller did wrong is no error of the server's.
    assert_eq!((server.status.0, server.text("error.type")), (0, None));
    let verification = receiver
        .wait_for(|span| span.trace_id == trace_id && span.name == "verify_token")
        .await;
    assert!(verification.is_child_of(&server));
    assert_eq!(verification.text("keyward.outcome"), Some("refused"));
    assert_eq!(verification.text("error.type"), Some("token_expired"));
    assert_eq!(verification.text("keyward.key.id"), None);

    // Not sampled by the caller: nothing, but the id goes on.
    let unsampled = sampled()
        .replace(TRACE, &TRACE.replace('4', "6"))
        .replace("-01", "-00");
    let headers = [("traceparent", &*unsampled)];
    let response = observed.get("/api/me", "garbage", &headers).await;
    assert_eq!(
        super::problem(response).await["traceId"],
        TRACE.replace('4', "6")
    );

    // A last one, that has not been exported yet when the service stops.
    let last = sampled().replace(TRACE, &TRACE.replace('4', "7"));
    let response = observed
        .get("/nowhere/secret", &good, &[("traceparent", &*last)])
        .await;
    assert_eq!(response.status(), 404);
    let (status, log) = observed.keyward.stop().await;
    assert!(status.success(), "{log}");
    let last = receiver.trace(&TRACE.replace('4', "7"));
    assert_eq!((last.len(), &*last[0].name), (1, "GET"), "{last:?}");
    assert_eq!(last[0].attributes.get("http.route"), None);
    assert!(receiver.trace(&TRACE.replace('4', "6")).is_empty());

    // Nobody's name, and no piece of a token or of a path.
    let spans = format!("{:?}", receiver.spans());
    let mut secrets = vec!["user-ada", "ada@example.com", "Ada", "secret"];
    for token in [&good, &rotated] {
        secrets.extend(token.split('.').map(|part| &part[part.len() - 12..]));
    }
    for secret in secrets {
        assert!(!spans.contains(secret), "{secret} in {spans}");
    }
}

fn attributes(pairs: &[(&str, Value)]) -> otlp_receiver::Attributes {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

fn port(url: &str) -> u16 {
    url.rsplit_once(':').unwrap().1.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_leave_their_traces_over_http() {
    let receiver = OtlpReceiver::start().await;
    requests_leave_their_traces(&receiver.http_endpoint(), "http/protobuf", &receiver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_leave_their_traces_over_grpc() {
    let receiver = OtlpReceiver::start().await;
    requests_leave_their_traces(&receiver.grpc_endpoint(), "grpc", &receiver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_that_fails_says_why_and_its_verification_too() {
    let (receiver, observed) = Observed::with_receiver(&[]).await;
    let scheduled = receiver
        .wait_for(|span| span.name == "refresh_key_set")
        .await;
    assert_eq!(scheduled.parent_span_id, None, "it is nobody's");
    observed.auth.answers(503);
    observed.issuer.rotate(keyward::Algorithm::EdDsa);
    let response = observed
        .get("/api/me", &observed.issuer.token("ada"), &[])
        .await;
    assert_eq!(response.status(), 503);
    let verification = receiver.wait_for(|span| span.name == "verify_token").await;
    assert_eq!(verification.text("keyward.outcome"), Some("unavailable"));
    assert_eq!(verification.text("error.type"), Some("keys_unavailable"));
    let below = |name: &'static str, parent: Span| {
        move |span: &Span| span.name == name && span.is_child_of(&parent)
    };
    let refresh = receiver
        .wait_for(below("refresh_key_set", verification))
        .await;
    assert_eq!(refresh.text("keyward.result"), Some("failed"));
    assert_eq!(refresh.text("error.type"), Some("503"));
    assert_eq!(refresh.status.0, 2);
    let fetch = receiver.wait_for(below("GET", refresh)).await;
    assert_eq!(fetch.status.0, 2);
    assert_eq!(fetch.text("error.type"), Some("503"));
    let server = receiver
        .wait_for(|span| span.kind == SpanKind::Server)
        .await;
    assert_eq!(server.status.0, 2);
    assert_eq!(server.text("error.type"), Some("keys_unavailable"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_has_a_pseudonym_only_if_that_is_switched_on() {
    let key = [("TRACE_SUBJECT_KEY", "sixteen characters or more")];
    let (receiver, observed) = Observed::with_receiver(&key).await;
    let mut pseudonyms = Vec::new();
    for (trace, user) in [("a", "ada"), ("b", "ada"), ("c", "bob")] {
        let trace = trace.repeat(32);
        let caller = format!("00-{trace}-{CALLER}-01");
        let token = observed.issuer.token(user);
        let headers = [("traceparent", &*caller)];
        assert_eq!(
            observed.get("/api/me", &token, &headers).await.status(),
            200
        );
        let server = receiver
            .wait_for(|span| span.trace_id == trace && span.kind == SpanKind::Server)
            .await;
        pseudonyms.push(server.text("enduser.pseudo.id").unwrap().to_owned());
    }
    assert_eq!(pseudonyms[0], pseudonyms[1]);
    assert_ne!(pseudonyms[0], pseudonyms[2]);
    assert_eq!(pseudonyms[0].len(), 32);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sampler_is_obeyed() {
    let sampler = [("OTEL_TRACES_SAMPLER", "parentbased_always_off")];
    let (receiver, observed) = Observed::with_receiver(&sampler).await;
    let token = observed.issuer.token("ada");
    assert_eq!(observed.get("/api/me", &token, &[]).await.status(), 200);
    let headers = [("traceparent", &*sampled())];
    assert_eq!(
        observed.get("/api/me", &token, &headers).await.status(),
        200
    );
    receiver.wait_for(|span| span.trace_id == TRACE).await;
    let (status, log) = observed.keyward.stop().await;
    assert!(status.success(), "{log}");
    assert!(receiver.spans().iter().all(|span| span.trace_id == TRACE));
}

/// All but one of them wait for what another has asked for; none is held back by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_share_a_fetch_are_all_exported_when_they_end() {
    let (receiver, observed) = Observed::with_receiver(&[]).await;
    receiver
        .wait_for(|span| span.name == "refresh_key_set")
        .await;
    observed.auth.takes(std::time::Duration::from_millis(500));
    observed.issuer.rotate(keyward::Algorithm::EdDsa);
    observed.auth.publishes(&observed.issuer);
    let token = observed.issuer.token("ada");
    let mut requests = tokio::task::JoinSet::new();
    for number in 1..=20 {
        let trace = format!("{number:032x}");
        let request = client()
            .get(format!("{}/api/me", observed.keyward.url))
            .bearer_auth(&token)
            .header("traceparent", format!("00-{trace}-{CALLER}-01"));
        requests.spawn(async move {
            assert_eq!(request.send().await.unwrap().status(), 200);
            trace
        });
    }
    let traces = requests.join_all().await;
    for trace in traces {
        receiver
            .wait_for(|span| span.trace_id == trace && span.name == "verify_token")
            .await;
    }
    let spans = receiver.spans();
    let refreshes = spans.iter().filter(|span| span.name == "refresh_key_set");
    let asked_for: Vec<&Span> = refreshes
        .filter(|span| span.parent_span_id.is_some())
        .collect();
    assert_eq!(
        asked_for.len(),
        1,
        "one fetch, below the request that asked first"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_for_the_backend_are_sent() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (seen, mut keys) = tokio::sync::mpsc::unbounded_channel();
    let app = axum::Router::new().fallback(move |headers: axum::http::HeaderMap| async move {
        let _ = seen.send(headers.get("x-api-key").cloned());
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    let headers = [("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=k123")];
    let observed = Observed::exporting_to(&endpoint, "http/protobuf", &headers).await;
    assert_eq!(observed.get("/api/me", "garbage", &[]).await.status(), 401);
    let key = tokio::time::timeout(service::PATIENCE, keys.recv()).await;
    assert_eq!(key.unwrap().unwrap().unwrap(), "k123");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_cancelled_says_so() {
    let (receiver, observed) = Observed::with_receiver(&[]).await;
    receiver
        .wait_for(|span| span.name == "refresh_key_set")
        .await;
    // A fetch that takes longer than the client is patient.
    observed.auth.takes(std::time::Duration::from_secs(3));
    observed.issuer.rotate(keyward::Algorithm::EdDsa);
    let impatient = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .timeout(std::time::Duration::from_millis(300));
    let request = impatient
        .build()
        .unwrap()
        .get(format!("{}/api/me", observed.keyward.url))
        .bearer_auth(observed.issuer.token("ada"))
        .header("traceparent", sampled());
    assert!(request.send().await.unwrap_err().is_timeout());
    let server = receiver
        .wait_for(|span| span.trace_id == TRACE && span.kind == SpanKind::Server)
        .await;
    assert_eq!(server.name, "GET /api/me");
    assert_eq!(server.text("error.type"), Some("cancelled"));
    assert_eq!(server.attributes.get("http.response.status_code"), None);
    assert_eq!(server.status.0, 2);
}
