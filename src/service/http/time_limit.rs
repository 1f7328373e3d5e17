//! A time limit whose clock starts when there is something to wait for.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::error::Elapsed;

/// Awaits `future` for no longer than `limit`. One that is ready at once needs no timer, and most
/// requests are: what a timer costs is a twentieth of a request.
pub(super) async fn within<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let at_once = poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    });
    match at_once.await {
        Some(output) => Ok(output),
        None => tokio::time::timeout(limit, future).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};
    use tokio::time::sleep;

    const LIMIT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn what_is_ready_in_time_is_handed_out_and_nothing_else() {
        assert_eq!(within(LIMIT, ready(7)).await, Ok(7));
        let in_time = async {
            sleep(LIMIT - Duration::from_millis(1)).await;
            7
        };
        assert_eq!(within(LIMIT, in_time).await, Ok(7));
        let began = tokio::time::Instant::now();
        assert!(within(LIMIT, pending::<()>()).await.is_err());
        assert_eq!(began.elapsed().as_secs(), LIMIT.as_secs());
    }
}
