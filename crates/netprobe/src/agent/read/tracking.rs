//! How full the table of tracked connections is, and what the kernel counts about it.

use std::collections::BTreeMap;
use std::fs::read_to_string;

use netprobe::ReadOutcome;

const SETTINGS: &str = "/proc/sys/net/netfilter/nf_conntrack_";
const COUNTERS: &str = "/proc/net/stat/nf_conntrack";

/// The kernel without connection tracking has no such settings, and then there is nothing to read.
pub(super) fn read() -> ReadOutcome {
    let setting = |name: &str| -> Option<u64> {
        let text = read_to_string(format!("{SETTINGS}{name}")).ok()?;
        text.trim().parse().ok()
    };
    let (Some(count), Some(max)) = (setting("count"), setting("max")) else {
        return ReadOutcome::Absent;
    };
    ReadOutcome::Tracking {
        count,
        max,
        buckets: setting("buckets"),
        counters: read_to_string(COUNTERS)
            .map(|text| sums(&text))
            .unwrap_or_default(),
    }
}

/// A line of names, then a line of hexadecimal values for each processor. A column that is not a number in every line
/// is left out: half a sum is none.
fn sums(text: &str) -> BTreeMap<String, u64> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split_whitespace().collect()).collect();
    let sum = |column: usize| -> Option<u64> {
        rows.iter().try_fold(0_u64, |sum, row| {
            sum.checked_add(u64::from_str_radix(row.get(column)?, 16).ok()?)
        })
    };
    let columns = names.iter().enumerate().filter_map(|(column, name)| {
        // The size of the table, which each line repeats.
        (*name != "entries" && !rows.is_empty()).then_some(((*name).to_owned(), sum(column)?))
    });
    columns.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_all_processors_are_summed() {
        let text = "entries  drop early_drop\n00000010  00000001 0000000a\n00000010  00000002 00000001\n";
        let expected = [("drop", 3), ("early_drop", 11)].map(|(name, sum)| (name.to_owned(), sum));
        assert_eq!(sums(text), BTreeMap::from(expected));
    }

    #[test]
    fn what_is_not_there_or_no_number_is_absent_and_not_zero() {
        for text in [
            "",
            "entries drop\n",
            "entries drop\n0010\n",
            "entries drop\n0010 zz\n",
        ] {
            assert_eq!(sums(text), BTreeMap::new(), "{text:?}");
        }
    }
}
