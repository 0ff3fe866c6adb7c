use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::RenderOptions;
use super::sanitize::sanitize;
use crate::{Severity, Verdict};

/// Where there is no terminal, lines are broken here.
const PAGE_WIDTH: usize = 120;

/// In which tone something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    /// What stands out without being good or bad.
    Strong,
    /// What may be passed over.
    Faint,
    Good,
    Warning,
    Bad,
    /// What is not known.
    Unknown,
}

impl Tone {
    pub(super) fn of_verdict(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Skipped => Self::Faint,
            Verdict::Pass => Self::Good,
            Verdict::Warn => Self::Warning,
            Verdict::Unknown => Self::Unknown,
            Verdict::Fail => Self::Bad,
        }
    }

    pub(super) fn of_severity(severity: Severity) -> Self {
        match severity {
            Severity::Note => Self::Faint,
            Severity::Warning => Self::Warning,
            Severity::Error => Self::Bad,
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Warning => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Unknown => AnsiColor::Magenta.on_default(),
        }
    }
}

/// The text for a terminal that shows nothing beyond ASCII: signs as the nearest of it, other characters as their numbers.
pub fn ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '→' => ascii.push_str("->"),
            '↔' => ascii.push_str("<->"),
            '×' | '✗' => ascii.push('x'),
            '✓' => ascii.push_str("ok"),
            '…' => ascii.push_str("..."),
            '‥' => ascii.push_str(".."),
            // Bars, by their height.
            '▁' | '▂' => ascii.push('_'),
            '▅' | '▆' => ascii.push('='),
            '▇' | '█' => ascii.push('#'),
            '·' => ascii.push('.'),
            '–' | '—' | '▃' | '▄' => ascii.push('-'),
            '‘' | '’' => ascii.push('\''),
            '“' | '”' => ascii.push('"'),
            other if other.is_ascii() => ascii.push(other),
            other => ascii.extend(other.escape_unicode()),
        }
    }
    ascii
}

/// The sign that stands for a verdict where Unicode can be shown.
pub(super) fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✓",
        Verdict::Fail => "✗",
        Verdict::Skipped => "·",
        Verdict::Warn => "!",
        Verdict::Unknown => "?",
    }
}

/// Writes for one kind of terminal. Everything that is printed goes through [`Pen::clean`] once, before it is
/// measured, and through [`Pen::paint`] after that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pen {
    colour: bool,
    unicode: bool,
    pub(super) width: usize,
}

impl Pen {
    pub(super) fn new(options: &RenderOptions) -> Self {
        Self {
            colour: options.colour,
            unicode: options.unicode,
            width: options.width.unwrap_or(PAGE_WIDTH).max(40),
        }
    }

    /// The text with nothing in it that steers a terminal or that the terminal cannot show.
    pub(super) fn clean(self, text: &str) -> String {
        let text = sanitize(text);
        if self.unicode || text.is_ascii() {
            return text;
        }
        ascii(&text)
    }

    /// The text in a tone, where colour is allowed.
    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        if !self.colour || tone == Tone::Plain || text.is_empty() {
            return text.to_owned();
        }
        let style = tone.style();
        format!("{}{text}{}", style.render(), style.render_reset())
    }

    /// What stands between the rows' names and the columns'.
    pub(super) fn corner(self) -> &'static str {
        if self.unicode {
            "from ↓ to →"
        } else {
            "from \\ to"
        }
    }

    /// What stands before the answer.
    pub(super) fn verdict_mark(self, verdict: Verdict) -> &'static str {
        if self.unicode {
            return mark(verdict);
        }
        match verdict {
            Verdict::Pass => "ok:",
            Verdict::Fail => "FAIL:",
            Verdict::Skipped => "skipped:",
            Verdict::Warn => "warning:",
            Verdict::Unknown => "unknown:",
        }
    }

    /// What stands before a finding.
    pub(super) fn severity_mark(self, severity: Severity) -> &'static str {
        match (severity, self.unicode) {
            (Severity::Error, true) => "✗",
            (Severity::Error, false) => "x",
            (Severity::Warning, _) => "!",
            (Severity::Note, true) => "·",
            (Severity::Note, false) => "-",
        }
    }

    /// Columns that cleaned, unpainted text takes.
    pub(super) fn columns(text: &str) -> usize {
        text.width()
    }

    /// Cleaned text in so many columns at most: what is too long loses its middle, for names differ at their ends.
    pub(super) fn fit(self, text: &str, columns: usize) -> String {
        if Self::columns(text) <= columns {
            return text.to_owned();
        }
        let dots = self.clean("…");
        let room = columns.saturating_sub(Self::columns(&dots));
        let head = taken(text.chars(), room / 2);
        let tail = taken(text.chars().rev(), room - room / 2);
        let head: String = text.chars().take(head).collect();
        let rest: Vec<char> = text.chars().collect();
        let tail: String = rest[rest.len() - tail..].iter().collect();
        format!("{head}{dots}{tail}")
    }

    /// Appends the text, broken between words to fit the width: a first prefix, and as much space before the rest.
    pub(super) fn wrap(self, out: &mut String, prefix: &str, painted_prefix: &str, tone: Tone, text: &str) {
        let indent = Self::columns(prefix);
        let room = self.width.saturating_sub(indent).max(20);
        let mut lines: Vec<String> = vec![String::new()];
        for word in text.split(' ') {
            let line = lines.last_mut().expect("there is always a line");
            if line.is_empty() {
                line.push_str(word);
            } else if Self::columns(line) + 1 + Self::columns(word) <= room {
                line.push(' ');
                line.push_str(word);
            } else {
                lines.push(word.to_owned());
            }
        }
        for (index, line) in lines.iter().enumerate() {
            let line = self.paint(tone, line);
            let _ = if index == 0 {
                writeln!(out, "{painted_prefix}{line}")
            } else {
                writeln!(out, "{:indent$}{line}", "")
            };
        }
    }
}

/// How many characters fit into so many columns.
fn taken(characters: impl Iterator<Item = char>, columns: usize) -> usize {
    let mut used = 0;
    let fits = characters.take_while(|character| {
        used += character.width().unwrap_or(0);
        used <= columns
    });
    fits.count()
}

/// Spaces that make cleaned text as wide as its column.
pub(super) fn pad(text: &str, columns: usize) -> String {
    " ".repeat(columns.saturating_sub(Pen::columns(text)))
}
