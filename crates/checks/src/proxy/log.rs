//! Lines of kube-proxy's log.

use jiff::Timestamp;
use jiff::civil::DateTime;
use observation::LogTail;

/// What a line says, where it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sign {
    /// It ends at once: what it is told, or what the kernel has, does not allow it to run.
    CannotRun,
    /// It does not hear what changes in the API.
    NoWatch,
    /// The kernel did not take its rules.
    NotWritten,
    /// Its configuration has fields that it does not know.
    Lenient,
    /// It is told to tell pods by the cluster's range, and not told the range.
    NoRange,
    /// It does not find out about its own node.
    NoNode,
}

/// What lines have, in any case, and what that says. The first that fits counts.
const SIGNS: &[(&str, Sign)] = &[
    ("error running proxyserver", Sign::CannotRun),
    ("failed lenient decoding", Sign::CannotRun),
    ("failed complete", Sign::CannotRun),
    ("using lenient decoding", Sign::Lenient),
    ("failed to watch", Sign::NoWatch),
    ("failed to list", Sign::NoWatch),
    ("failed to execute iptables-restore", Sign::NotWritten),
    ("iptables-restore failed", Sign::NotWritten),
    ("failed to execute iptables rules", Sign::NotWritten),
    ("nftables sync failed", Sign::NotWritten),
    ("no cluster cidr defined", Sign::NoRange),
    ("failed to retrieve node", Sign::NoNode),
    ("can't determine this node's ip", Sign::NoNode),
];

/// What a line of a log says.
pub(super) fn sign(line: &str) -> Option<Sign> {
    let lower = line.to_ascii_lowercase();
    let known = SIGNS.iter().find(|(words, _)| lower.contains(words));
    known.map(|(_, sign)| *sign)
}

/// The lines that say this, the oldest first.
pub(super) fn lines(log: &LogTail, wanted: Sign) -> Vec<&str> {
    let all = log.lines.iter().map(String::as_str);
    all.filter(|line| sign(line) == Some(wanted)).collect()
}

/// How many seconds before `now` a line was written, by the time that klog puts in front: `E0301 08:59:30.123456`. It has no year and
/// is taken for UTC, as containers have it. `None` where there is none.
pub(crate) fn age(line: &str, now: &str) -> Option<i64> {
    let now: Timestamp = now.parse().ok()?;
    let mut words = line.split_ascii_whitespace();
    let day = words.next()?.get(1..5)?;
    let clock = words.next()?;
    let month: i8 = day.get(..2)?.parse().ok()?;
    let day: i8 = day.get(2..)?.parse().ok()?;
    let mut parts = clock.split(['.', ':']);
    let mut part = || parts.next()?.parse::<i8>().ok();
    let (hour, minute, second) = (part()?, part()?, part()?);
    let utc = now.to_zoned(jiff::tz::TimeZone::UTC);
    // At the turn of the year it is of the last one.
    let ages = [utc.year(), utc.year() - 1].into_iter().filter_map(|year| {
        let moment = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
        let moment = moment.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        Some(now.as_second() - moment.as_second())
    });
    // A clock may be a little ahead of ours.
    ages.filter(|age| *age > -86_400).min().map(|age| age.max(0))
}

/// A line without the time, the thread and the place in the source that klog puts in front.
pub(crate) fn message(line: &str) -> &str {
    match line.split_once("] ") {
        Some((head, message)) if head.len() < 90 && head.contains(':') => message,
        _ => line,
    }
}

/// The last line that tells of an error, or else the last of all.
pub(crate) fn last_words(log: &LogTail) -> Option<&str> {
    let is_error =
        |line: &&String| line.starts_with(['E', 'F']) || line.to_ascii_lowercase().starts_with("error");
    let last = log.lines.iter().rev().find(is_error).or(log.lines.last());
    last.map(|line| message(line))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WATCH: &str = r#"E0301 08:59:30.123456       1 reflector.go:205] "Failed to watch" err="failed to list *v1.Service: dial tcp: refused""#;

    #[test]
    fn a_line_has_a_meaning_and_an_age() {
        assert_eq!(sign(WATCH), Some(Sign::NoWatch));
        assert_eq!(sign("I0301 08:59:30.1 1 x.go:1] all is well"), None);
        assert_eq!(age(WATCH, "2026-03-01T09:00:00Z"), Some(30));
        assert_eq!(
            age("I1231 23:59:59.0 1 x.go:1] a", "2026-01-01T00:00:09Z"),
            Some(10)
        );
        assert_eq!(age("plain words", "2026-01-01T00:00:09Z"), None);
        assert!(message(WATCH).starts_with("\"Failed to watch\""));
    }

    #[test]
    fn the_last_words_are_those_of_an_error() {
        let log = LogTail {
            lines: vec![WATCH.into(), "I0301 08:59:31.0 1 x.go:1] more".into()],
            more: false,
        };
        assert!(last_words(&log).is_some_and(|words| words.starts_with("\"Failed to watch\"")));
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in "\\PC*") {
            let _ = (age(&line, "2026-03-01T09:00:00Z"), sign(&line), message(&line).len());
        }
    }
}
