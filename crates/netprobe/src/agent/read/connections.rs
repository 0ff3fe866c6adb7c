//! The connection tracking table, counted. It can have millions of entries, which nobody wants to carry: what is wanted of
//! them is chosen here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::time::{Duration, Instant};

use netprobe::{MOST_LISTED, ReadOutcome};

const TABLE: &str = "/proc/net/nf_conntrack";
/// A table that is read for longer changes too much meanwhile.
const LONGEST: Duration = Duration::from_millis(1_500);
/// How often the clock is looked at, in lines.
const BATCH: u64 = 1_024;

/// What was counted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    by_state: BTreeMap<String, u64>,
    more: bool,
    lines: Vec<String>,
}

pub(super) fn count(most: u64, words: &[String], left: Duration) -> ReadOutcome {
    match File::open(TABLE) {
        Ok(file) => match tally(
            BufReader::with_capacity(256 * 1024, file),
            most,
            words,
            left.min(LONGEST),
        ) {
            Ok(tally) => ReadOutcome::Connections {
                by_state: tally.by_state,
                more: tally.more,
                lines: tally.lines,
            },
            Err(error) => failed(&error),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => ReadOutcome::Absent,
        Err(error) => failed(&error),
    }
}

fn failed(error: &std::io::Error) -> ReadOutcome {
    ReadOutcome::Failed {
        message: format!("{TABLE}: {error}"),
    }
}

/// Counts lines until there are no more, there are too many, or the time is over; and lists those with one of the words.
fn tally(mut table: impl BufRead, most: u64, words: &[String], left: Duration) -> std::io::Result<Tally> {
    let began = Instant::now();
    let mut tally = Tally::default();
    let mut counted = 0;
    let mut line = Vec::new();
    while table.read_until(b'\n', &mut line)? > 0 {
        if counted >= most || (counted % BATCH == 0 && began.elapsed() > left) {
            tally.more = true;
            break;
        }
        counted += 1;
        let text = String::from_utf8_lossy(&line);
        if let Some(state) = state(&text) {
            match tally.by_state.get_mut(&*state) {
                Some(count) => *count += 1,
                None => drop(tally.by_state.insert(state, 1)),
            }
        }
        if tally.lines.len() < MOST_LISTED && words.iter().any(|word| text.contains(&**word)) {
            tally.lines.push(text.into_owned());
        }
        line.clear();
    }
    Ok(tally)
}

/// `ipv4     2 tcp      6 117 TIME_WAIT src=…`: the third word, and the sixth where it is a state. Other protocols have
/// none there, but the first of the addresses.
fn state(line: &str) -> Option<String> {
    let mut words = line.split_ascii_whitespace();
    let protocol = words.nth(2)?;
    let state = words.nth(2).filter(|word| {
        word.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    Some(match state {
        Some(state) => format!("{protocol} {state}"),
        None => protocol.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "\
ipv4     2 tcp      6 117 TIME_WAIT src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 [ASSURED] mark=0 zone=0 use=2
ipv4     2 udp      17 29 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 mark=0 zone=0 use=2
ipv6     10 tcp      6 86399 ESTABLISHED src=::1 dst=::1 sport=1 dport=2 src=::1 dst=::1 sport=2 dport=1 [ASSURED] mark=0 zone=0 use=2
ipv4     2 tcp      6 3 TIME_WAIT src=10.0.0.1 dst=10.0.0.2 sport=3 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=3 [ASSURED] mark=0 zone=0 use=2
";

    fn of(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
        pairs
            .iter()
            .map(|(state, count)| ((*state).to_owned(), *count))
            .collect()
    }

    fn tallied(text: &str, most: u64, words: &[&str]) -> Tally {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        tally(text.as_bytes(), most, &words, LONGEST).unwrap()
    }

    #[test]
    fn connections_are_counted_by_protocol_and_state() {
        let tally = tallied(LINES, 100, &[]);
        let expected = of(&[("tcp TIME_WAIT", 2), ("tcp ESTABLISHED", 1), ("udp", 1)]);
        assert_eq!((tally.by_state, tally.more), (expected, false));
        assert!(tally.lines.is_empty(), "none was wanted");
    }

    #[test]
    fn entries_with_one_of_the_words_are_listed() {
        let tally = tallied(LINES, 100, &["dst=::1 ", " udp "]);
        assert_eq!(tally.lines.len(), 2);
        assert!(tally.lines[0].starts_with("ipv4     2 udp"));
        let many = LINES.repeat(7_000);
        let tally = tallied(&many, 100_000, &["ipv4"]);
        assert_eq!(tally.lines.len(), MOST_LISTED);
    }

    #[test]
    fn the_count_ends_where_it_was_told_and_says_so() {
        let tally = tallied(LINES, 2, &[]);
        assert_eq!(
            (tally.by_state, tally.more),
            (of(&[("tcp TIME_WAIT", 1), ("udp", 1)]), true)
        );
        assert!(!tallied(LINES, 4, &[]).more, "it ended by itself");
    }

    #[test]
    fn lines_that_are_none_count_for_nothing() {
        assert_eq!(tallied("\n\x00\x01\nipv4 2\n", 100, &[]).by_state, of(&[]));
    }
}
