//! A whole authenticated request through each adapter, around a handler that does nothing; and a
//! verification under each kind of tracing subscriber.

mod support;

use std::convert::Infallible;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use criterion::Criterion;
use http::{Request, Response};
use keyward::poem::BearerAuthMiddleware;
use keyward::service::config::LogFormat;
use keyward::service::telemetry::{self, VerificationMetrics};
use keyward::testing::SigningKey;
use keyward::tower::BearerAuthLayer;
use keyward::{Algorithm, Verifier};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};
use poem::{Endpoint, EndpointExt, endpoint::make_sync};
use support::contenders::{accept, warm_up};
use support::token::{self, builder, key_set};
use support::{paired, record};
use tower::{Service, ServiceBuilder, service_fn};
use tracing_subscriber::filter::EnvFilter;

fn main() {
    record::begin();
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
        .configure_from_args();
    let key = token::key(Algorithm::EdDsa);
    let token = token::token(&key);
    let verifier: Verifier = builder(key_set(&[&key])).build();
    warm_up(&verifier, &token);
    tower(&mut criterion, &verifier, &token);
    poem(&mut criterion, &verifier, &token);
    tracing(&mut criterion, &verifier, &token);
    metrics(&mut criterion, &key, &token);
    criterion.final_summary();
    support::table::print();
}

/// A future that need not wait.
fn now<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

/// The baseline is the same handler without the layer.
fn tower(criterion: &mut Criterion, verifier: &Verifier, token: &str) {
    let request = |authorization: &str| {
        Request::builder()
            .header("authorization", authorization)
            .body(())
            .expect("a request")
    };
    let handler = service_fn(|request: Request<()>| async move {
        black_box(request);
        Ok::<_, Infallible>(Response::new(http_body_util::Empty::<bytes::Bytes>::new()))
    });
    let mut bare = handler;
    let mut layered = ServiceBuilder::new()
        .layer(BearerAuthLayer::new(verifier.clone()))
        .service(handler);
    let good = format!("Bearer {token}");
    let mut group = criterion.benchmark_group("tower");
    for (name, authorization, status) in [("accepted", &*good, 200), ("refused", "Bearer x", 401)] {
        paired::bench(
            &mut group,
            ("tower", name),
            || drop(black_box(now(bare.call(request(authorization))))),
            || {
                let response = now(layered.call(request(authorization))).expect("an answer");
                assert_eq!(black_box(response).status(), status);
            },
        );
    }
}

/// The baseline is the same endpoint without the middleware.
fn poem(criterion: &mut Criterion, verifier: &Verifier, token: &str) {
    let request = || {
        poem::Request::builder()
            .header("authorization", format!("Bearer {token}"))
            .finish()
    };
    let endpoint = || make_sync(|_| poem::http::StatusCode::OK);
    let bare = endpoint();
    let with = endpoint().with(BearerAuthMiddleware::new(verifier.clone()));
    let mut group = criterion.benchmark_group("poem");
    paired::bench(
        &mut group,
        ("poem", "accepted"),
        || drop(black_box(now(bare.call(request())))),
        || {
            black_box(now(with.call(request())).expect("an answer"));
        },
    );
}

/// A cached verification under the service's own subscriber; the baseline has none.
fn tracing(criterion: &mut Criterion, verifier: &Verifier, token: &str) {
    let provider = |exporter: bool| {
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOff)));
        match exporter {
            true => provider.with_batch_exporter(Nowhere).build(),
            false => provider.with_span_processor(Ended).build(),
        }
    };
    let mut group = criterion.benchmark_group("tracing");
    for (name, traced, flags) in [
        ("logging only", None, TraceFlags::default()),
        ("sampled out", Some(false), TraceFlags::default()),
        ("sampled", Some(false), TraceFlags::SAMPLED),
        ("exported", Some(true), TraceFlags::SAMPLED),
    ] {
        let provider = traced.map(provider);
        let tracer = provider.as_ref().map(|provider| provider.tracer("bench"));
        let filter = EnvFilter::new("info");
        let subscriber: tracing::Dispatch =
            telemetry::subscriber(tracer, filter, LogFormat::Json, false, std::io::sink).into();
        let parent = SpanContext::new(
            TraceId::from(1),
            SpanId::from(1),
            flags,
            true,
            TraceState::default(),
        );
        paired::bench_turns(
            &mut group,
            ("tracing", name),
            |count| (0..count).for_each(|_| accept(verifier, token)),
            |count| {
                let context =
                    opentelemetry::Context::new().with_remote_span_context(parent.clone());
                let _attached = context.attach();
                tracing::dispatcher::with_default(&subscriber, || {
                    (0..count).for_each(|_| accept(verifier, token));
                });
            },
        );
    }
}

/// A verification that is counted and timed; the baseline is not.
fn metrics(criterion: &mut Criterion, key: &SigningKey, token: &str) {
    let provider = SdkMeterProvider::builder()
        .with_reader(ManualReader::default())
        .build();
    let observer = VerificationMetrics::new(&provider.meter("bench"));
    let mut group = criterion.benchmark_group("metrics");
    for (name, cached) in [("seen before", true), ("verified anew", false)] {
        let builder = || match cached {
            true => builder(key_set(&[key])),
            false => builder(key_set(&[key])).without_cache(),
        };
        let bare: Verifier = builder().build();
        let observed: Verifier = builder().observer(observer.clone()).build();
        warm_up(&bare, token);
        warm_up(&observed, token);
        paired::bench(
            &mut group,
            ("metrics", name),
            || accept(&bare, token),
            || accept(&observed, token),
        );
    }
}

/// Where spans end that nobody exports.
#[derive(Debug)]
struct Ended;

impl opentelemetry_sdk::trace::SpanProcessor for Ended {
    fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &opentelemetry::Context) {}

    fn on_end(&self, span: opentelemetry_sdk::trace::SpanData) {
        black_box(span);
    }

    fn force_flush(&self) -> opentelemetry_sdk::error::OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> opentelemetry_sdk::error::OTelSdkResult {
        Ok(())
    }
}

/// Where exported spans go: a request waits for no more than their way into the queue.
#[derive(Debug)]
struct Nowhere;

impl SpanExporter for Nowhere {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        black_box(batch);
        Ok(())
    }
}
