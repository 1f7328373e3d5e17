//! A panic's message may quote anything. The default hook prints it; the service's says where it was.

use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use keyward::service::config::LogFormat;
use keyward::service::http::{HttpOptions, install_panic_hook, stack};
use keyward::service::telemetry::subscriber;
use poem::{Route, get, handler};
use tokio::process::Command;
use tower::ServiceExt;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use super::search::Secrets;

const SECRET: &str = "leak-panic-8b3";

/// Set in the process that panics, to the format of its log.
const CHILD: &str = "KEYWARD_TEST_PANICS";

#[handler]
fn panicking() -> String {
    panic!("no task called {SECRET}")
}

#[handler]
fn unwrapping() -> String {
    // Its error is printed with `Debug`.
    let text = String::from_utf8([SECRET.as_bytes(), b"\xff"].concat());
    text.unwrap()
}

/// What the service does about a panic in an endpoint, in a task, and in a thread of its own.
async fn panic_everywhere(format: LogFormat) {
    let lines = subscriber(
        None,
        EnvFilter::new("trace"),
        format,
        false,
        std::io::stderr,
    );
    lines.init();
    install_panic_hook();
    let app = Route::new()
        .at("/panicking", get(panicking))
        .at("/unwrapping", get(unwrapping));
    let service = stack(app, &HttpOptions::default());
    for path in ["/panicking", "/unwrapping"] {
        let request = Request::get(format!("{path}?{SECRET}")).header("host", "api.example.com");
        let request = request.body(Full::new(Bytes::new())).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 500);
        let headers = format!("{:?}", response.headers());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        println!("{headers} {}", String::from_utf8_lossy(&body));
    }
    let error = tokio::spawn(async { panic!("{SECRET}") }).await;
    assert!(error.unwrap_err().is_panic());
    let thread = std::thread::spawn(|| panic!("{SECRET}"));
    assert!(thread.join().is_err());
}

/// A hook is a whole process's, and what it prints is seen from outside alone: this test runs itself.
#[tokio::test]
async fn a_panic_says_where_it_was_and_not_what_it_said() {
    if let Ok(format) = std::env::var(CHILD) {
        let format = if format == "json" {
            LogFormat::Json
        } else {
            LogFormat::Text
        };
        return panic_everywhere(format).await;
    }
    let mut secrets = Secrets::default();
    secrets.add(SECRET);
    for format in ["json", "text"] {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("panics::a_panic_says_where_it_was_and_not_what_it_said")
            .env(CHILD, format)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(Duration::from_secs(60), child).await;
        let output = output.expect("it ends").unwrap();
        let printed = [output.stdout, output.stderr].map(|out| String::from_utf8(out).unwrap());
        let [stdout, stderr] = &printed;
        assert!(output.status.success(), "{stdout}\n{stderr}");
        // Four panics, each with its place; two answers.
        assert_eq!(stderr.matches("panics.rs:").count(), 4, "{stderr}");
        assert_eq!(stdout.matches(r#""status":500"#).count(), 2, "{stdout}");
        secrets.assert_absent("standard output", stdout);
        secrets.assert_absent("standard error", stderr);
    }
    println!("ran 8 cases: panics");
}
