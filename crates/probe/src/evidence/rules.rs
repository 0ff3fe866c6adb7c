//! The texts of rule sets.

use netprobe::ReadOutcome;
use observation::RuleText;
use report::{Gap, GapReason, Observed};

use super::Answers;

/// What a program that was ended without a word most likely lacked: it holds all rules in memory.
const MORE_MEMORY: &str =
    "where it may not have the memory that it needs, the kernel ends it: --limits memory=1Gi";

/// The text that the node's own program printed, else that of the image. `id` is of the first, and the next of the
/// other.
pub(super) fn text(answers: &Answers<'_>, id: u32, what: &str) -> Observed<RuleText> {
    let mut why: Option<Gap> = None;
    for id in [id, id + 1] {
        match answers.outcome(id, what) {
            Observed::Seen(ReadOutcome::Exited {
                command,
                code: Some(0),
                stdout,
                truncated: false,
                ..
            }) => {
                return Observed::Seen(RuleText {
                    command: command.join(" "),
                    text: stdout.clone(),
                });
            }
            Observed::Seen(ReadOutcome::Exited {
                command,
                truncated: true,
                ..
            }) => {
                why.get_or_insert(Gap {
                    why: GapReason::Truncated,
                    ..answers.gap(what, &format!("{} printed too much", command.join(" ")))
                });
            }
            Observed::Seen(ReadOutcome::Exited {
                command,
                code,
                stderr,
                ..
            }) => {
                let command = command.join(" ");
                why.get_or_insert(match code {
                    Some(code) => answers.gap(what, &format!("{command} ended with {code}: {stderr}")),
                    None => Gap {
                        hint: Some(MORE_MEMORY.to_owned()),
                        ..answers.gap(what, &format!("{command} was ended by a signal"))
                    },
                });
            }
            Observed::Seen(ReadOutcome::Absent) => {
                why.get_or_insert(answers.gap(
                    what,
                    "neither the node nor the image of the probe pod has a program that lists them",
                ));
            }
            Observed::Seen(_) => {
                why.get_or_insert(answers.gap(what, "another answer than a program's output"));
            }
            Observed::Unseen(gap) => {
                why.get_or_insert(gap);
            }
        }
    }
    Observed::Unseen(why.unwrap_or_else(|| answers.not_allowed(what)))
}
