//! Durations as Go writes and reads them: kubectl's flags and query parameters use its syntax.

use std::fmt::Write as _;
use std::time::Duration;

/// Reads a duration as kubectl's flags take it: whole seconds, or a Go duration such as `1m30s`. `None` when the text
/// is neither. What zero means is the flag's business.
pub fn parse_timeout(text: &str) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    parse(text)
}

fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * seconds;
        rest = next;
    }
    Duration::try_from_secs_f64(total).ok()
}

/// The duration as Go prints it: `5s`, `1m30s`, `1h0m0s`, `250ms`. Exact to the millisecond.
pub(crate) fn go_text(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis < 1000 {
        return if millis == 0 {
            "0s".to_owned()
        } else {
            format!("{millis}ms")
        };
    }
    let (seconds, fraction) = (millis / 1000, millis % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = String::new();
    // Writing to a String cannot fail.
    if hours > 0 {
        let _ = write!(text, "{hours}h");
    }
    if hours > 0 || minutes > 0 {
        let _ = write!(text, "{minutes}m");
    }
    let _ = write!(text, "{seconds}");
    if fraction > 0 {
        let _ = write!(text, ".{}", format!("{fraction:03}").trim_end_matches('0'));
    }
    text + "s"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bare_numbers_are_seconds_and_units_add_up() {
        assert_eq!(parse_timeout("5"), Some(Duration::from_secs(5)));
        assert_eq!(parse_timeout("0"), Some(Duration::ZERO));
        assert_eq!(parse_timeout("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(parse_timeout("1.5h"), Some(Duration::from_mins(90)));
        assert_eq!(parse_timeout("250ms"), Some(Duration::from_millis(250)));
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for text in [
            "",
            "x",
            "5 s",
            "1d",
            "s",
            "1.2.3s",
            "-",
            "-5",
            "99999999999999999999",
        ] {
            assert_eq!(parse_timeout(text), None, "{text:?}");
        }
    }

    #[test]
    fn durations_print_as_go_prints_them() {
        let texts: Vec<String> = [0, 250, 5_000, 1_500, 60_000, 90_000, 3_600_000]
            .map(|ms| go_text(Duration::from_millis(ms)))
            .into();
        assert_eq!(texts, ["0s", "250ms", "5s", "1.5s", "1m0s", "1m30s", "1h0m0s"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = parse_timeout(&text);
        }

        #[test]
        fn what_is_printed_reads_back(millis in 0_u64..100_000_000) {
            let duration = Duration::from_millis(millis);
            let read = parse_timeout(&go_text(duration)).unwrap();
            prop_assert!(read.abs_diff(duration) < Duration::from_micros(1));
        }
    }
}
