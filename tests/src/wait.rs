//! Bounded waiting. The bounds only keep a broken run from hanging: no test asserts how long
//! something takes, so they are generous.

use std::time::Duration;

const BOUND: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What the future gives; panics when it does not end.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(BOUND, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {BOUND:?} in vain: {what}"),
    }
}

/// Waits until the question is answered with a value.
pub async fn until<T, F>(what: &str, mut question: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    within(what, async {
        loop {
            if let Some(answer) = question().await {
                return answer;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    })
    .await
}
