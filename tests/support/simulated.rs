//! Real HTTP in simulated time: a fetcher that goes over a real socket while the test's clock, which
//! is paused, stands still.
//!
//! Tokio moves a paused clock to the next timer whenever it has nothing else to do, and waiting for a
//! socket counts as nothing. It does not while a blocking task runs, so one waits here for the
//! exchange, which another runtime makes in real time. Where the server leaves its client waiting, the
//! clock is let go: what happens then is for the key set's own time limit.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::future::Future;
use std::sync::mpsc;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use keyward::{FetchError, FetchFuture, FetchKeySet, Fetched, HttpFetcher};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Where servers and exchanges run, in real time.
pub static REAL_TIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
});

/// How long an exchange takes in simulated time.
pub const LATENCY: Duration = Duration::from_millis(50);

/// Far beyond what an exchange on loopback takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a test in simulated time.
pub fn in_simulated_time<F: Future>(test: F) -> F::Output {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(test)
}

#[derive(Debug)]
pub struct SimulatedFetcher {
    fetcher: Arc<HttpFetcher>,
    /// Changes when the server leaves a client waiting.
    stalls: watch::Receiver<usize>,
}

impl SimulatedFetcher {
    pub fn new(fetcher: HttpFetcher, stalls: watch::Receiver<usize>) -> Self {
        Self {
            fetcher: Arc::new(fetcher),
            stalls,
        }
    }
}

impl FetchKeySet for SimulatedFetcher {
    fn fetch(&self, if_none_match: Option<String>) -> FetchFuture<'_> {
        let fetcher = self.fetcher.clone();
        let mut stalls = self.stalls.clone();
        Box::pin(async move {
            tokio::time::sleep(LATENCY).await;
            let (tell, told) = mpsc::channel();
            stalls.mark_unchanged();
            let exchange = REAL_TIME.spawn(async move {
                let mut exchange = fetcher.fetch(if_none_match);
                tokio::select! {
                    result = &mut exchange => {
                        let _ = tell.send(Some(result));
                    }
                    _ = stalls.changed() => {
                        let _ = tell.send(None);
                        let _ = exchange.await; // which ends with the client's patience
                    }
                }
            });
            let _cancelled = Cancelled(exchange.abort_handle());
            let wait = move || told.recv_timeout(PATIENCE).expect("the exchange ends");
            let told: Option<Result<Fetched, FetchError>> =
                tokio::task::spawn_blocking(wait).await.unwrap();
            match told {
                Some(result) => result,
                None => std::future::pending().await,
            }
        })
    }
}

/// Ends the exchange with the fetch.
struct Cancelled(AbortHandle);

impl Drop for Cancelled {
    fn drop(&mut self) {
        self.0.abort();
    }
}
