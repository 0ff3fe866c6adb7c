//! Looking again and again.

use std::time::{Duration, Instant};

use plugin::Failure;

/// Looks at least once, and again every `interval` from the beginning of one round to that of the next, for as long as the next one
/// would begin within `lasts`. A round that takes longer than the interval is followed by the next at once.
///
/// # Errors
/// Those of a round; there is no further one then.
pub async fn rounds(
    interval: Duration,
    lasts: Duration,
    mut look: impl AsyncFnMut() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let began = Instant::now();
    loop {
        let round = Instant::now();
        look().await?;
        let rest = interval.saturating_sub(round.elapsed());
        if began.elapsed() + rest >= lasts {
            return Ok(());
        }
        tokio::time::sleep(rest).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn count(interval: Duration, lasts: Duration) -> u32 {
        let mut count = 0;
        let done = rounds(interval, lasts, async || {
            count += 1;
            Ok(())
        });
        done.await.expect("no round fails");
        count
    }

    #[tokio::test]
    async fn there_is_one_round_at_least_and_none_after_the_end() {
        assert_eq!(count(Duration::from_mins(1), Duration::from_millis(1)).await, 1);
        let several = count(Duration::from_millis(20), Duration::from_millis(70)).await;
        assert!((2..=4).contains(&several), "{several}");
    }

    #[tokio::test]
    async fn a_round_that_fails_is_the_last() {
        let mut count = 0;
        let failed = rounds(Duration::ZERO, Duration::from_mins(1), async || {
            count += 1;
            if count == 3 {
                Err(Failure::new("no"))
            } else {
                Ok(())
            }
        });
        assert!(failed.await.is_err());
        assert_eq!(count, 3);
    }
}
