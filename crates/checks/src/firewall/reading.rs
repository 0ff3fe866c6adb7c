use netmodel::rules::{Family, NodeRules, RuleSet, View, parse_iptables_save, parse_nft_json};
use observation::{NodeReads, RuleText};
use report::{Gap, GapReason, Observed};

/// Parses all rules of a node, and says what is missing of them.
pub(crate) fn read(node: &str, reads: &NodeReads) -> (NodeRules, Vec<Gap>) {
    let mut reading = Reading {
        node,
        rules: NodeRules::default(),
        gaps: Vec::new(),
    };
    reading.iptables(&reads.iptables, View::IptablesNft, Family::Ip);
    reading.iptables(&reads.iptables_legacy, View::IptablesLegacy, Family::Ip);
    reading.iptables(&reads.ip6tables, View::IptablesNft, Family::Ip6);
    reading.nft(&reads.nft);
    (reading.rules, reading.gaps)
}

struct Reading<'a> {
    node: &'a str,
    rules: NodeRules,
    gaps: Vec<Gap>,
}

impl Reading<'_> {
    fn iptables(&mut self, text: &Observed<RuleText>, view: View, family: Family) {
        match text {
            Observed::Unseen(gap) => self.gaps.push(gap.clone()),
            Observed::Seen(text) => {
                // `iptables-save` is of the back end that the node prefers; its first line says which.
                let view = View::of_iptables_save(&text.text).unwrap_or(view);
                let is_known = self.rules.of(view).any(|set| {
                    let mut families = set.tables.iter().map(|table| table.family);
                    families.any(|known| known == family)
                });
                if !is_known {
                    self.keep(parse_iptables_save(&text.text, view, family), &text.command);
                }
            }
        }
    }

    fn nft(&mut self, text: &Observed<RuleText>) {
        let text = match text {
            Observed::Unseen(gap) => return self.gaps.push(gap.clone()),
            Observed::Seen(text) => text,
        };
        match parse_nft_json(&text.text) {
            Ok(set) => {
                self.check_left_out(&set, &text.command);
                self.keep(set, &text.command);
            }
            Err(error) => {
                let what = format!("the nftables rules of {}", self.node);
                self.gaps.push(failed(what, error.to_string(), &text.command));
            }
        }
    }

    /// What nft leaves to iptables must have been seen through iptables.
    fn check_left_out(&mut self, set: &RuleSet, command: &str) {
        let unseen: Vec<&str> = set
            .left_out
            .iter()
            .map(String::as_str)
            .filter(|place| {
                let mut seen = self.rules.of(View::IptablesNft).flat_map(|set| &set.tables);
                !seen.any(|table| format!("{} {}", table.family, table.name) == **place)
            })
            .collect();
        // A gap of the same rules that is known already says why.
        let is_told = |family: &str| {
            let name = if family == "ip6" { "ip6tables" } else { "iptables" };
            self.gaps.iter().any(|gap| gap.what.contains(name))
        };
        let untold: Vec<&str> = unseen
            .into_iter()
            .filter(|place| !is_told(place.split(' ').next().unwrap_or(place)))
            .collect();
        if !untold.is_empty() {
            let what = format!("the rules of iptables on {}", self.node);
            let message = format!(
                "nft shows rules in table {}, and iptables did not list them",
                untold.join(", ")
            );
            self.gaps.push(failed(what, message, command));
        }
    }

    fn keep(&mut self, set: RuleSet, command: &str) {
        if let Some(first) = set.unread.first() {
            let what = format!("the rules of {} whole", self.node);
            let message = match set.unread.len() {
                1 => format!("a line of {command} could not be read: {first}"),
                several => format!("{several} lines of {command} could not be read, the first: {first}"),
            };
            self.gaps.push(failed(what, message, command));
        }
        self.rules.sets.push(set);
    }
}

fn failed(what: String, message: String, command: &str) -> Gap {
    Gap {
        what,
        why: GapReason::Failed,
        message,
        hint: Some(command.to_owned()),
    }
}
