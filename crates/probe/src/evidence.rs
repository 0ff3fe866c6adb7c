//! What a node shows of its own network, through a probe pod in its network namespace.

mod kernel;
pub(crate) mod kube_proxy;
mod netlink;
mod plan;
mod pod_files;
mod pods;
mod proc;
mod rules;
pub(crate) mod tracked;

use std::collections::BTreeMap;

use jiff::Timestamp;
use netprobe::{FileText, ReadAnswer, ReadOutcome, ReadPlan};
use observation::NodeReads;
use report::{Gap, GapReason, Observed};

use self::plan::{DIRECTORIES, FILES, RESOLV_CONF, host_root, id};
use crate::exec::Executed;
use crate::options::Tier;
use crate::run::ProbeRun;

impl ProbeRun {
    /// Reads one node as far as the pods of this tier may. The node's clock is compared with ours.
    ///
    /// A node without a pod, and an exec that failed, are unseen as a whole; what was not read of a node is unseen in
    /// the part that it belongs to.
    pub async fn read_node(&self, node: &str, tier: Tier) -> Observed<NodeReads> {
        let asked = Timestamp::now();
        let run = &self.placement().run;
        let mut executed = self.read(node, &plan::whole(run, tier)).await;
        let answered = Timestamp::now();
        if executed.reads.is_empty()
            && let Observed::Unseen(gap) = &executed.seen
        {
            // What the pod may not do another way either, and where there is none nobody can tell anything.
            let told = match gap.why {
                GapReason::Forbidden { .. } | GapReason::NotStarted => None,
                _ => self.brief(node, &plan::brief(run, tier)).await,
            };
            match told {
                Some(reads) => executed.reads = reads,
                None => return Observed::Unseen(gap.clone()),
            }
        }
        let answers = Answers::of(node, tier, &executed);
        let middle = asked.as_millisecond() + (answered.as_millisecond() - asked.as_millisecond()) / 2;
        Observed::Seen(reads(&answers, middle))
    }

    /// Reads only the packet rules of a node, through a privileged pod there: quick enough to be done again and again. All
    /// else of the node is unseen.
    pub async fn read_rules(&self, node: &str) -> Observed<NodeReads> {
        let plan = plan::rules(&self.placement().run);
        self.answered(node, Tier::Privileged, &plan, |answers| {
            reads(answers, Timestamp::now().as_millisecond())
        })
        .await
    }

    /// What pods with `dnsPolicy: Default` find in their resolv.conf on a node: probe pods are such.
    ///
    /// A node without one, an exec that failed, and a file that was not read whole are unseen.
    pub async fn read_resolv_conf(&self, node: &str) -> Observed<String> {
        let plan = plan::resolv_conf(&self.placement().run);
        let read = self.answered(node, Tier::Pod, &plan, |answers| {
            answers
                .texts(id::FILES, 1, RESOLV_CONF)
                .and_then(|mut texts| match texts.remove(RESOLV_CONF) {
                    Some(text) => text,
                    None => Observed::Unseen(answers.gap(RESOLV_CONF, "the probe pod has none")),
                })
        });
        read.await.and_then(|text| text)
    }

    /// Lets the agent of a node read, and makes something of its answers. Unseen where there are none at all.
    async fn answered<T>(
        &self,
        node: &str,
        tier: Tier,
        plan: &ReadPlan,
        make: impl FnOnce(&Answers<'_>) -> T,
    ) -> Observed<T> {
        let executed = self.read(node, plan).await;
        match &executed.seen {
            Observed::Unseen(gap) if executed.reads.is_empty() => Observed::Unseen(gap.clone()),
            _ => Observed::Seen(make(&Answers::of(node, tier, &executed))),
        }
    }
}

/// What one agent read.
struct Answers<'a> {
    node: &'a str,
    tier: Tier,
    by_id: BTreeMap<u32, &'a ReadAnswer>,
    /// Why some answers are missing, if they are.
    cut_off: Option<Gap>,
}

impl<'a> Answers<'a> {
    fn of(node: &'a str, tier: Tier, executed: &'a Executed) -> Self {
        Self {
            node,
            tier,
            by_id: executed.reads.iter().map(|answer| (answer.id, answer)).collect(),
            cut_off: executed.seen.gap().cloned(),
        }
    }
}

impl Answers<'_> {
    fn outcome(&self, id: u32, what: &str) -> Observed<&ReadOutcome> {
        match self.by_id.get(&id) {
            Some(answer) => match &answer.outcome {
                ReadOutcome::Failed { message } => Observed::Unseen(self.gap(what, message)),
                outcome => Observed::Seen(outcome),
            },
            None => Observed::Unseen(match &self.cut_off {
                Some(gap) => gap.clone(),
                None => self.not_allowed(what),
            }),
        }
    }

    fn gap(&self, what: &str, message: &str) -> Gap {
        Gap {
            what: format!("{what} of {}", self.node),
            why: GapReason::Failed,
            message: message.to_owned(),
            hint: None,
        }
    }

    /// Nothing of a lower tier can read it.
    fn not_allowed(&self, what: &str) -> Gap {
        Gap {
            what: format!("{what} of {}", self.node),
            why: GapReason::TierNotAllowed,
            message: "it takes a privileged pod on the node to read them".to_owned(),
            hint: Some("--node-access allows it".to_owned()),
        }
    }

    /// The texts of files, of all the patterns from this id on. A file that could not be read is unseen as such.
    fn texts(&self, first: u32, patterns: usize, what: &str) -> Observed<BTreeMap<String, Observed<String>>> {
        let mut texts = BTreeMap::new();
        for id in (first..).take(patterns) {
            match self.outcome(id, what) {
                Observed::Seen(ReadOutcome::Files { files }) => {
                    texts.extend(
                        files
                            .iter()
                            .map(|(path, text)| (path.clone(), self.text(path, text))),
                    );
                }
                Observed::Seen(_) => return Observed::Unseen(self.gap(what, "another answer than files")),
                Observed::Unseen(gap) => return Observed::Unseen(gap),
            }
        }
        Observed::Seen(texts)
    }

    fn text(&self, path: &str, text: &FileText) -> Observed<String> {
        match text {
            FileText::Text {
                text,
                truncated: false,
            } => Observed::Seen(text.clone()),
            FileText::Text { truncated: true, .. } => Observed::Unseen(Gap {
                why: GapReason::Truncated,
                ..self.gap(path, "it is too long to be read whole")
            }),
            FileText::Failed { message } => Observed::Unseen(self.gap(path, message)),
        }
    }
}

fn reads(answers: &Answers<'_>, our_clock_ms: i64) -> NodeReads {
    let root = host_root(answers.tier).unwrap_or_default();
    let own = |path: &str| path.strip_prefix(root).unwrap_or(path).to_owned();
    let names = netlink::Names::read(answers);
    let files = answers.texts(id::FILES, if root.is_empty() { 1 } else { FILES.len() }, "files");
    NodeReads {
        links: netlink::links(answers),
        routes: netlink::routes(answers, &names),
        rules: netlink::rules(answers),
        neighbours: netlink::neighbours(answers, &names),
        forwarding: netlink::forwarding(answers, &names),
        sysctls: proc::sysctls(answers),
        counters: proc::counters(answers),
        conntrack: proc::conntrack(answers),
        listeners: proc::listeners(answers),
        iptables: rules::text(answers, id::IPTABLES, "iptables rules"),
        iptables_legacy: rules::text(answers, id::IPTABLES_LEGACY, "legacy iptables rules"),
        ip6tables: rules::text(answers, id::IP6TABLES, "ip6tables rules"),
        ip6tables_legacy: rules::text(answers, id::IP6TABLES_LEGACY, "legacy ip6tables rules"),
        nft: rules::text(answers, id::NFT, "nftables rules"),
        files: match files {
            Observed::Seen(files) => files.into_iter().map(|(path, text)| (own(&path), text)).collect(),
            Observed::Unseen(gap) => FILES
                .iter()
                .map(|path| ((*path).to_owned(), Observed::Unseen(gap.clone())))
                .collect(),
        },
        directories: directories(answers, root),
        kernel: kernel::reads(answers),
        clock_ahead_ms: clock(answers, our_clock_ms),
    }
}

fn clock(answers: &Answers<'_>, ours: i64) -> Observed<i64> {
    match answers.outcome(id::CLOCK, "clock") {
        Observed::Seen(ReadOutcome::Clock { unix_ms }) => {
            Observed::Seen(i64::try_from(*unix_ms).unwrap_or(i64::MAX).saturating_sub(ours))
        }
        Observed::Seen(_) => Observed::Unseen(answers.gap("clock", "another answer than a time")),
        Observed::Unseen(gap) => Observed::Unseen(gap),
    }
}

/// The names in directories. A directory that is absent or empty has no entry in what was read, and is an empty list
/// where its path was asked for without a pattern.
fn directories(answers: &Answers<'_>, root: &str) -> BTreeMap<String, Observed<Vec<String>>> {
    let mut directories: BTreeMap<String, Observed<Vec<String>>> = BTreeMap::new();
    for (id, pattern) in (id::DIRECTORIES..).zip(DIRECTORIES) {
        match answers.outcome(id, pattern) {
            Observed::Seen(ReadOutcome::Paths { paths }) => {
                if !pattern.contains('*') {
                    directories.insert((*pattern).to_owned(), Observed::Seen(Vec::new()));
                }
                for path in paths {
                    let path = path.strip_prefix(root).unwrap_or(path);
                    let Some((directory, name)) = path.rsplit_once('/') else {
                        continue;
                    };
                    let names = directories
                        .entry(directory.to_owned())
                        .or_insert_with(|| Observed::Seen(Vec::new()));
                    if let Observed::Seen(names) = names {
                        names.push(name.to_owned());
                    }
                }
            }
            Observed::Seen(_) => {
                let gap = answers.gap(pattern, "another answer than paths");
                directories.insert((*pattern).to_owned(), Observed::Unseen(gap));
            }
            Observed::Unseen(gap) => {
                directories.insert((*pattern).to_owned(), Observed::Unseen(gap));
            }
        }
    }
    directories
}

#[cfg(test)]
mod tests;
