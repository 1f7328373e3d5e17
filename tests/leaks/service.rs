//! The whole service, with everything logged that any crate has to say, and everything exported.

use std::sync::Arc;

use aws_lc_rs::hmac;
use keyward::Algorithm;

use super::auth_server::HttpAuthServer;
use super::cluster::Cluster;
use super::otlp_receiver::{OtlpReceiver, Span, SpanKind};
use super::process::Keyward;
use super::traffic::{Failing, SUBJECT, TRACE, TRACE_STATE, Traffic};

const SUBJECT_KEY: &str = "leak-subject-key-26a";
const DATABASE_PASSWORD: &str = "leak-password-4e0";
const COLLECTOR_KEY: &str = "leak-collector-0b9";

struct Setting {
    log_format: &'static str,
    protocol: &'static str,
    database: Database,
    subject_key: bool,
}

enum Database {
    Sqlite,
    Postgres(Arc<Cluster>, String),
}

impl Setting {
    async fn test(self) {
        let receiver = OtlpReceiver::start().await;
        let (auth, issuer) = HttpAuthServer::start().await;
        let endpoint = match self.protocol {
            "grpc" => receiver.grpc_endpoint(),
            _ => receiver.http_endpoint(),
        };
        let database = match &self.database {
            Database::Sqlite => "sqlite://tasks.db".to_owned(),
            Database::Postgres(_, url) => {
                url.replace("keyward@", &format!("keyward:{DATABASE_PASSWORD}@"))
            }
        };
        let headers = format!("x-api-key={COLLECTOR_KEY}");
        let mut variables = vec![
            ("BETTER_AUTH_URL", &*auth.url),
            ("DATABASE_URL", &*database),
            ("RUST_LOG", "trace"),
            ("LOG_FORMAT", self.log_format),
            ("METRICS_ADDR", "127.0.0.1:0"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", self.protocol),
            ("OTEL_EXPORTER_OTLP_HEADERS", &*headers),
            ("OTEL_METRIC_EXPORT_INTERVAL", "1000"),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "100000"),
        ];
        if self.subject_key {
            variables.push(("TRACE_SUBJECT_KEY", SUBJECT_KEY));
        }
        let keyward = Keyward::serve(&variables).await;
        let mut traffic = Traffic::new(&keyward.url, issuer);
        for secret in [SUBJECT_KEY, DATABASE_PASSWORD, COLLECTOR_KEY] {
            traffic.secrets.add(secret);
        }

        traffic.good().await;
        auth.answers(503);
        traffic.issuer.rotate(Algorithm::EdDsa);
        traffic.failing(Failing::Keys).await;
        auth.publishes(&traffic.issuer);
        auth.answers(200);
        traffic.recovered().await;
        traffic.refused().await;
        traffic.garbled().await;
        self.database.refuses_writes(&keyward);
        traffic.writes_refused().await;
        self.database.goes_away(&keyward);
        traffic.failing(Failing::Database).await;

        let scraped = scrape(&keyward).await;
        let greeting = keyward.greeting.clone();
        let (status, log) = keyward.stop().await;
        assert!(status.success(), "{log}");
        let (spans, metrics) = (receiver.spans(), receiver.metrics());

        // What is searched is all there is.
        for crate_that_speaks in ["hyper_util", "sqlx", "opentelemetry"] {
            assert!(
                log.contains(crate_that_speaks),
                "{crate_that_speaks} says nothing"
            );
        }
        let (lines, exported) = (log.lines().count(), spans.len());
        assert!(
            lines > 200 && exported > 200,
            "{lines} lines, {exported} spans"
        );
        assert!(
            spans.iter().any(|span| !span.events.is_empty()),
            "no span has an event"
        );
        assert!(metrics.len() > 20 && scraped.lines().count() > 100);
        for span in &spans {
            // What the caller says of its trace goes on with the trace.
            let expected = match span.trace_id == TRACE && !span.trace_state.is_empty() {
                true => format!("vendor={TRACE_STATE}"),
                false => String::new(),
            };
            assert_eq!(span.trace_state, expected, "{span:?}");
        }
        self.subjects(&spans);

        let mut secrets = traffic.secrets;
        let spans: Vec<String> = spans
            .into_iter()
            .map(|mut span| {
                span.trace_state.clear();
                format!("{span:?}")
            })
            .collect();
        secrets.add(TRACE_STATE);
        secrets.assert_absent("standard output", &greeting);
        secrets.assert_absent("the log", &log);
        secrets.assert_absent("spans", &spans.join("\n"));
        secrets.assert_absent("metrics by OTLP", &format!("{metrics:#?}"));
        secrets.assert_absent("/metrics", &scraped);
        secrets.assert_absent("headers and errors", &traffic.answers.join("\n"));
        println!(
            "ran {} cases: requests searched for {} secrets and {} pieces of tokens, in {} lines of the log ({}), {} spans and {} answers",
            traffic.answers.len(),
            secrets.count(),
            secrets.count_pieces(),
            log.lines().count(),
            self.log_format,
            spans.len(),
            traffic.answers.len(),
        );
    }

    /// A user is in server spans alone, and only under a pseudonym that needs the key.
    fn subjects(&self, spans: &[Span]) {
        let key = hmac::Key::new(hmac::HMAC_SHA256, SUBJECT_KEY.as_bytes());
        let tag = hmac::sign(&key, SUBJECT.as_bytes());
        let pseudonym: String = tag.as_ref()[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let named: Vec<&Span> = spans
            .iter()
            .filter(|span| format!("{span:?}").contains(&pseudonym))
            .collect();
        assert_eq!(named.is_empty(), !self.subject_key);
        for span in named {
            assert_eq!(span.text("enduser.pseudo.id"), Some(&*pseudonym));
            assert_eq!(span.kind, SpanKind::Server);
        }
    }
}

impl Database {
    /// Statements that write fail from now on, in words that quote what was to be written.
    fn refuses_writes(&self, keyward: &Keyward) {
        match self {
            Self::Sqlite => {
                let file = keyward.directory.path().join("tasks.db");
                let trigger = "CREATE TRIGGER refuse BEFORE INSERT ON tasks
                     BEGIN SELECT RAISE(ABORT, 'refused'); END";
                sqlite(&file, trigger);
            }
            // "Failing row contains (…)".
            Self::Postgres(cluster, url) => cluster.execute(
                url,
                "ALTER TABLE tasks ADD CONSTRAINT refuse CHECK (title = '') NOT VALID",
            ),
        }
    }

    fn goes_away(&self, keyward: &Keyward) {
        match self {
            Self::Sqlite => {
                let file = keyward.directory.path().join("tasks.db");
                sqlite(&file, "DROP TABLE tasks");
            }
            Self::Postgres(cluster, _) => cluster.kill(),
        }
    }
}

/// Runs a statement behind the service's back.
fn sqlite(file: &std::path::Path, statement: &'static str) {
    let url = format!("sqlite://{}", file.display());
    tokio::task::block_in_place(|| {
        tokio::runtime::Handle::current().block_on(async {
            use sqlx::Connection;
            let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
            sqlx::raw_sql(statement)
                .execute(&mut connection)
                .await
                .unwrap();
        });
    });
}

async fn scrape(keyward: &Keyward) -> String {
    let (_, rest) = keyward.greeting.split_once("metrics at ").unwrap();
    let url = rest.split_whitespace().next().unwrap();
    let odd = super::process::client()
        .get(format!("{url}/leak-path-a07?leak-query-f12"))
        .header("user-agent", "leak-agent-0e2")
        .send();
    let odd = odd.await.unwrap().text().await.unwrap();
    let shown = super::process::client().get(url).send().await.unwrap();
    format!(
        "{odd}\n{:?}\n{}",
        shown.headers().clone(),
        shown.text().await.unwrap()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leaks_on_sqlite_with_json_logs_and_users_under_pseudonyms() {
    let setting = Setting {
        log_format: "json",
        protocol: "http/protobuf",
        database: Database::Sqlite,
        subject_key: true,
    };
    setting.test().await;
}

mod postgres {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_leaks_on_postgres_with_text_logs_and_no_pseudonyms() {
        let start = || {
            let cluster = Arc::new(Cluster::start()); // its own, since it is killed
            let url = cluster.create_database();
            (cluster, url)
        };
        let (cluster, url) = tokio::task::spawn_blocking(start).await.unwrap();
        let setting = Setting {
            log_format: "text",
            protocol: "grpc",
            database: Database::Postgres(cluster.clone(), url),
            subject_key: false,
        };
        setting.test().await;
        tokio::task::spawn_blocking(move || drop(cluster))
            .await
            .unwrap();
    }
}
