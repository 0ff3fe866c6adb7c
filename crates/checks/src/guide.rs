//! What there is to read about an id, without a cluster: the same words as in `docs/`.

mod text;

use report::wrap;

use crate::check::{CHECKS, Need};
use crate::coverage::{Status, coverage, row};

const DOCUMENT: &str = include_str!("../../../docs/checks.md");
const ALERTS: &str = include_str!("../../../docs/alerts.md");

/// So many ids are offered for one that does not exist.
const MOST_NEAREST: usize = 3;

/// What is known about an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guide {
    /// The id.
    pub id: &'static str,
    /// The command that decides it, or whose question it is to be, as it is typed.
    pub command: &'static str,
    /// What holds when a check passes, or what is decided where there is no check.
    pub claim: &'static str,
    /// How far it has come.
    pub status: Status,
    /// What a check has to be told; empty where there is no check.
    pub needs: &'static [Need],
    /// Its section of the documentation: what is looked at, thresholds, causes, what to do. Markdown without its heading
    /// and its claim; `None` where nothing is written.
    pub section: Option<&'static str>,
}

/// There is no such id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownId {
    /// What was asked for.
    pub id: String,
    /// Ids that it may have meant, the nearest first; at most three.
    pub nearest: Vec<&'static str>,
}

impl std::fmt::Display for UnknownId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there is no check {:?}", self.id)?;
        match self.nearest.split_last() {
            None => Ok(()),
            Some((only, [])) => write!(f, "; did you mean {only}?"),
            Some((last, others)) => write!(f, "; did you mean {} or {last}?", others.join(", ")),
        }
    }
}

impl std::error::Error for UnknownId {}

/// What is known about an id, in any case and with `_` for `-`.
///
/// # Errors
/// With the nearest ids where it does not exist.
pub fn guide(id: &str) -> Result<Guide, UnknownId> {
    let wanted = id.trim().to_ascii_lowercase().replace('_', "-");
    let Some((row, status)) = row(&wanted).and_then(|row| Some((row, row.status()?))) else {
        return Err(UnknownId {
            id: id.to_owned(),
            nearest: nearest(&wanted),
        });
    };
    let check = CHECKS.iter().find(|check| check.id == row.id);
    let lint = alerts::LINTS.iter().find(|lint| lint.id == row.id);
    Ok(Guide {
        id: row.id,
        command: match status {
            Status::Check if check.is_some_and(|check| check.needs.contains(&Need::Backends)) => {
                row.command()
            }
            Status::Check => "kubectl netcheck",
            Status::Text | Status::Lint | Status::Held(_) | Status::NotYet(_) => row.command(),
        },
        claim: check
            .map(|check| check.claim)
            .or_else(|| lint.map(|lint| lint.claim))
            .unwrap_or(row.title),
        status,
        needs: check.map_or(&[], |check| check.needs),
        section: section(DOCUMENT, row.id).or_else(|| section(ALERTS, row.id)),
    })
}

impl Guide {
    /// What it needs, in words: `probe pods, node access`.
    pub fn needed(&self) -> String {
        let names: Vec<&str> = self.needs.iter().map(|need| need.name()).collect();
        names.join(", ")
    }

    /// As a page for people, `width` columns wide. Ends with a line feed.
    pub fn page(&self, width: usize) -> String {
        let mut page = String::new();
        wrap(&mut page, width, "", &format!("{}: {}", self.id, self.claim));
        let status = match self.status {
            Status::Check => format!("A check of `{}`. It needs: {}.", self.command, self.needed()),
            Status::Lint => format!("A lint of `{} lint`.", self.command),
            Status::Text => "The meaning of error texts: `kubectl netcheck explain TEXT`.".to_owned(),
            Status::Held(by) => format!("No check but a rule that is kept: {by}."),
            Status::NotYet(why) => {
                format!("A question of `{}`. Nothing decides it yet: {why}.", self.command)
            }
        };
        wrap(&mut page, width, "", &status);
        if let Some(section) = self.section {
            page.push('\n');
            text::markdown(&mut page, width, section);
        }
        for text in errortext::texts().filter(|text| text.check == self.id) {
            page.push('\n');
            for pattern in text.looks_like() {
                wrap(&mut page, width, "", &format!("“{pattern}”"));
            }
            wrap(&mut page, width, "    ", text.means);
            for cause in text.causes {
                wrap(
                    &mut page,
                    width,
                    "    ",
                    &format!("- {}: {}", cause.what, cause.decided_by),
                );
            }
        }
        page
    }
}

/// The section under the heading `## id`, less its claim in italics.
fn section<'a>(document: &'a str, id: &str) -> Option<&'a str> {
    let heading = format!("## {id}\n");
    let start = if document.starts_with(&heading) {
        heading.len()
    } else {
        document.find(&format!("\n{heading}"))? + 1 + heading.len()
    };
    let rest = &document[start..];
    let section = rest[..rest.find("\n## ").unwrap_or(rest.len())].trim();
    let is_claim = |line: &str| line.starts_with('*') && line.ends_with('*') && !line.starts_with("**");
    let body = match section.split_once('\n') {
        Some((first, body)) if is_claim(first.trim()) => body.trim(),
        None if is_claim(section) => "",
        Some(_) | None => section,
    };
    (!body.is_empty()).then_some(body)
}

fn nearest(wanted: &str) -> Vec<&'static str> {
    let far = |id: &str| {
        let without_family = id.split_once('-').map_or(id, |(_, rest)| rest);
        let whole = strsim::damerau_levenshtein(wanted, id);
        whole.min(strsim::damerau_levenshtein(wanted, without_family) + 1)
    };
    let allowed = (wanted.chars().count() / 3).clamp(1, 3);
    let mut near: Vec<(usize, &'static str)> = coverage()
        .map(|row| (far(row.id), row.id))
        .filter(|(distance, id)| *distance <= allowed || is_part(wanted, id))
        .collect();
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter().take(MOST_NEAREST).map(|(_, id)| id).collect()
}

/// Whether somebody typed some whole parts of an id only.
fn is_part(wanted: &str, id: &str) -> bool {
    wanted.len() > 2 && format!("-{id}-").contains(&format!("-{wanted}-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_registered_check_has_a_guide_with_a_section() {
        for check in CHECKS {
            let guide = guide(check.id).expect("a registered check");
            assert_eq!(guide.claim, check.claim);
            assert!(guide.section.is_some(), "{}: nothing is written", check.id);
            assert!(guide.page(100).lines().count() > 3, "{}", guide.page(100));
        }
    }

    #[test]
    fn every_lint_has_a_guide_with_a_section_and_every_section_a_lint() {
        for lint in alerts::LINTS {
            assert!(
                guide(lint.id).is_ok_and(|guide| guide.section.is_some()),
                "{}: nothing is written",
                lint.id
            );
        }
        for heading in ALERTS.lines().filter_map(|line| line.strip_prefix("## alert-")) {
            assert!(
                alerts::LINTS
                    .iter()
                    .any(|lint| lint.id == format!("alert-{heading}")),
                "{heading}"
            );
        }
    }

    #[test]
    fn every_id_has_a_guide_that_says_how_far_it_has_come() {
        for row in coverage() {
            let guide = guide(row.id).expect("an id of the table");
            assert!(guide.page(100).starts_with(row.id));
        }
    }

    #[test]
    fn the_guide_to_error_texts_shows_them() {
        let page = guide("cni-err-noip").expect("an id of the table").page(100);
        assert!(
            page.contains("“no ip addresses available in range set”"),
            "{page}"
        );
    }

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let document = "# Checks\n\n## a-b\n*It is so.*\n\nFirst.\n\n## a-b-c\n*Other.*\n";
        assert_eq!(section(document, "a-b"), Some("First."));
        assert_eq!(section(document, "a-b-c"), None);
        assert_eq!(section(document, "a"), None);
    }

    #[test]
    fn a_typo_is_answered_with_the_nearest_ids() {
        assert_eq!(nearest("net-mut").first(), Some(&"net-mtu"));
        assert_eq!(nearest("mtu").first(), Some(&"net-mtu"));
        assert_eq!(nearest("net-mehs"), ["net-mesh"]);
        assert!(nearest("hairpin").contains(&"net-hairpin"));
        assert!(nearest("completely-different").is_empty());
    }

    #[test]
    fn an_id_may_be_typed_carelessly() {
        assert_eq!(guide(" NET_MTU ").map(|guide| guide.id), Ok("net-mtu"));
    }

    #[test]
    fn an_unknown_id_names_what_it_may_have_meant() {
        let error = guide("net-mut").expect_err("no such id");
        assert!(
            error
                .to_string()
                .starts_with("there is no check \"net-mut\"; did you mean net-mtu"),
            "{error}"
        );
        assert_eq!(
            guide("zzz").expect_err("no such id").to_string(),
            "there is no check \"zzz\""
        );
    }
}
