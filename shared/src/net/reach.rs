//! A relay is connected a moment before it is known what it can be asked: until then nobody is within reach.

use crate::error::{Code, Result};
use crate::limits::{REACH_AGAIN, REACH_PATIENCE};
use crate::platform;

/// Asks again as long as it is known too little, within [`REACH_PATIENCE`].
pub async fn once_in_reach<T, F>(mut ask: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let late = platform::now() + REACH_PATIENCE;
    loop {
        match ask().await {
            Err(error) if error.code() == Code::NoRelay && platform::now() < late => {
                platform::sleep(REACH_AGAIN).await;
            }
            outcome => return outcome,
        }
    }
}
