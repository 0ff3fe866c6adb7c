use crate::pattern::{Found, find};
use crate::rows::texts;
use crate::{Rank, Text};

/// So much of a line is read, in bytes: what is longer is no error text.
const LONGEST_LINE: usize = 16 * 1024;

/// What was recognized in a text.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Lines with something in them.
    pub lines: usize,
    /// What was recognized, the most telling first. Empty where nothing was.
    pub matches: Vec<Match>,
}

/// One error text that was recognized.
#[derive(Clone, Debug)]
pub struct Match {
    /// What it is.
    pub text: &'static Text,
    /// The first line with it, as it was given, without the space around it.
    pub line: String,
    /// How many lines had it.
    pub count: usize,
    /// Words of that line with a meaning of their own, by name: `server`, `plugin`.
    pub kept: Vec<(&'static str, String)>,
    literal: usize,
}

/// Reads a text, line by line.
///
/// A line can hold several texts, one within the other: what says more comes first, and what is only the ending of a longer
/// text that was recognized is left out.
pub fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        reading.lines += 1;
        for (text, found) in recognized(cut(line)) {
            add(&mut reading.matches, text, line, found);
        }
    }
    reading
        .matches
        .sort_by_key(|found| (found.text.rank, std::cmp::Reverse(found.literal)));
    reading
}

fn cut(line: &str) -> &str {
    let end = line.floor_char_boundary(LONGEST_LINE.min(line.len()));
    &line[..end]
}

fn recognized(line: &str) -> Vec<(&'static Text, Found)> {
    let mut found: Vec<(&'static Text, Found)> = texts()
        .filter_map(|text| {
            let best = text.patterns.iter().filter_map(|pattern| find(pattern, line));
            Some((text, best.max_by_key(|found| found.literal)?))
        })
        .collect();
    // A word of a longer fixed text says nothing of its own, however telling it is elsewhere.
    let fixed: Vec<(usize, usize)> = found
        .iter()
        .filter(|(text, found)| text.rank != Rank::Frame && found.is_literal())
        .map(|(_, found)| (found.start, found.end))
        .collect();
    found.retain(|(_, found)| {
        !fixed.iter().any(|(start, end)| {
            *start <= found.start && found.end <= *end && end - start > found.end - found.start
        })
    });
    found.sort_by_key(|(text, found)| (text.rank, std::cmp::Reverse(found.literal)));
    let mut kept: Vec<(&'static Text, Found)> = Vec::new();
    for (text, found) in found {
        let is_within = kept.iter().any(|(longer, whole)| {
            longer.rank != Rank::Frame && whole.start <= found.start && found.end <= whole.end
        });
        if !is_within {
            kept.push((text, found));
        }
    }
    kept
}

fn add(matches: &mut Vec<Match>, text: &'static Text, line: &str, found: Found) {
    match matches.iter_mut().find(|known| known.text.name == text.name) {
        Some(known) => known.count += 1,
        None => matches.push(Match {
            text,
            line: line.to_owned(),
            count: 1,
            kept: found.kept,
            literal: found.literal,
        }),
    }
}
