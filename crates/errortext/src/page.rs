use std::fmt::Write as _;

use report::{sanitize, wrap};

use crate::{Match, Rank, Reading};

/// A reading for people, `width` columns wide, as said by this plugin (`netcheck`). Ends with a line feed. What came from
/// the text is made safe for a terminal.
pub fn page(reading: &Reading, width: usize, plugin: &str) -> String {
    let mut out = String::new();
    if reading.matches.is_empty() {
        wrap(
            &mut out,
            width,
            "",
            "? nothing in this text is known to say anything about the network",
        );
        wrap(
            &mut out,
            width,
            "    ",
            &format!(
                "That is no sign that the network is well: it is a text that is not in the table. Give the line that the \
                 failing program itself wrote, whole, or look at the cluster: `{}`.",
                look(plugin)
            ),
        );
        return out;
    }
    for (index, found) in reading.matches.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let is_same = index > 0 && reading.matches[index - 1].line == found.line;
        write_match(&mut out, width, found, is_same, plugin);
    }
    out
}

/// The command of a plugin that looks at a cluster without being told what for.
fn look(plugin: &str) -> String {
    let command = match plugin {
        "netcheck" => " pod-to-pod",
        "epcheck" => " scan",
        "cnicheck" => " status",
        _ => "",
    };
    format!("kubectl {plugin}{command}")
}

fn write_match(out: &mut String, width: usize, found: &Match, is_same_line: bool, plugin: &str) {
    let text = found.text;
    if is_same_line {
        wrap(out, width, "", "In the same line:");
    } else {
        let line = sanitize(&found.line);
        let shown: String = line.chars().take(240).collect();
        let cut = if shown.len() < line.len() { "…" } else { "" };
        let times = match found.count {
            1 => String::new(),
            count => format!(" ({count} lines)"),
        };
        wrap(out, width, "", &format!("“{shown}{cut}”{times}"));
    }
    labelled(out, width, "means", text.means);
    if text.rank == Rank::Frame {
        labelled(
            out,
            width,
            "note",
            "this part of the text is only the frame; what went wrong stands behind it",
        );
    }
    for (name, value) in &found.kept {
        labelled(out, width, "here", &format!("{name}: {}", sanitize(value)));
    }
    for excluded in text.excludes {
        labelled(out, width, "not", excluded);
    }
    for cause in text.causes {
        labelled(
            out,
            width,
            "maybe",
            &format!("{}: {}", cause.what, cause.decided_by),
        );
    }
    for command in text.next {
        let _ = writeln!(out, "    next   {command}");
    }
    labelled(
        out,
        width,
        "more",
        &format!("kubectl {plugin} checks {}", text.check),
    );
}

fn labelled(out: &mut String, width: usize, label: &str, text: &str) {
    let mut lines = String::new();
    wrap(&mut lines, width.saturating_sub(11), "", text);
    for (index, line) in lines.lines().enumerate() {
        let label = if index == 0 { label } else { "" };
        let _ = writeln!(out, "    {label:<7}{line}");
    }
}
