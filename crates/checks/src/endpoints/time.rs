//! How long ago something was, by the words of the API.

use jiff::Timestamp;

/// A moment of the API, RFC 3339; `None` where it is none.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Seconds from one moment to another; negative where the other came first, `None` where either is no moment.
pub(crate) fn seconds(from: Option<&str>, to: &str) -> Option<i64> {
    Some(moment(to)?.as_second() - moment(from?)?.as_second())
}

/// As `3 d`, `5 h`, `12 min`, `40 s`.
pub(crate) fn words(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    match seconds {
        DAY.. => format!("{} d", seconds / DAY),
        HOUR.. => format!("{} h", seconds / HOUR),
        MINUTE.. => format!("{} min", seconds / MINUTE),
        _ => format!("{} s", seconds.max(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_the_api_are_apart_by_seconds() {
        let lease = "2026-03-01T09:02:00.123456Z";
        assert_eq!(seconds(Some("2026-03-01T09:00:00Z"), lease), Some(120));
        assert_eq!(seconds(Some("yesterday"), lease), None);
        assert_eq!(seconds(None, lease), None);
    }

    #[test]
    fn times_are_told_in_one_unit() {
        let told: Vec<String> = [-5, 59, 60, 7_300, 200_000].into_iter().map(words).collect();
        assert_eq!(told, ["0 s", "59 s", "1 min", "2 h", "2 d"]);
    }
}
