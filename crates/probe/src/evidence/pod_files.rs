//! What the files of one pod show, as its processes see them.

use std::collections::{BTreeMap, BTreeSet};

use netprobe::{Read, ReadOutcome, ReadPlan, WIRE_VERSION};
use observation::DnsAskerFiles;
use report::Observed;

use super::plan::{DEADLINE_MS, MOST_OF_A_FILE};
use super::{Answers, Tier};
use crate::run::ProbeRun;

const GROUPS: u32 = 1;
const RESOLV_CONF: u32 = 2;
const LOADERS: u32 = 3;
/// musl has its loader in one place; glibc in `/lib64` on amd64 and in `/lib` on arm64, each of which may be a link below `/usr`.
const LOADER_PATTERNS: [&str; 3] = [
    "/proc/*/root/lib/ld-musl-*",
    "/proc/*/root/lib/ld-linux-*",
    "/proc/*/root/lib64/ld-linux-*",
];

impl ProbeRun {
    /// Reads `/etc/resolv.conf` and the dynamic loaders of a pod by its uid, through a privileged pod on its node. Of a pod with several
    /// containers the loaders of all of them.
    ///
    /// A node without a privileged pod, an exec that failed, and a pod without a process on the node are unseen.
    pub async fn read_pod_files(&self, node: &str, uid: &str) -> Observed<DnsAskerFiles> {
        let plan = plan(&self.placement().run);
        let read = self.answered(node, Tier::Privileged, &plan, |answers| files(answers, uid));
        read.await.and_then(|files| files)
    }
}

fn plan(run: &str) -> ReadPlan {
    let text = |pattern: &str| Read::Files {
        pattern: pattern.to_owned(),
        most_bytes: MOST_OF_A_FILE,
    };
    let mut reads = BTreeMap::from([
        (GROUPS, text("/proc/*/cgroup")),
        (RESOLV_CONF, text("/proc/*/root/etc/resolv.conf")),
    ]);
    for (id, pattern) in (LOADERS..).zip(LOADER_PATTERNS) {
        let pattern = pattern.to_owned();
        reads.insert(id, Read::Paths { pattern });
    }
    ReadPlan {
        version: WIRE_VERSION,
        run: run.to_owned(),
        deadline_ms: DEADLINE_MS,
        reads,
    }
}

fn files(answers: &Answers<'_>, uid: &str) -> Observed<DnsAskerFiles> {
    let groups = match answers.texts(GROUPS, 1, "control groups of processes") {
        Observed::Seen(groups) => groups,
        Observed::Unseen(gap) => return Observed::Unseen(gap),
    };
    // systemd writes the uid with other dashes.
    let names = [uid.to_owned(), uid.replace('-', "_")];
    let is_of_pod = |text: &str| names.iter().any(|name| text.contains(name.as_str()));
    let processes: BTreeSet<&str> = groups
        .iter()
        .filter(|(_, text)| text.seen().is_some_and(|text| is_of_pod(text)))
        .filter_map(|(path, _)| process(path))
        .collect();
    if processes.is_empty() {
        return Observed::Unseen(answers.gap("processes of the pod", "none was found by its control group"));
    }
    Observed::Seen(DnsAskerFiles {
        resolv_conf: resolv_conf(answers, &processes),
        loaders: loaders(answers, &processes),
    })
}

/// All containers of a pod have the same file: the first that can be read.
fn resolv_conf(answers: &Answers<'_>, processes: &BTreeSet<&str>) -> Observed<String> {
    const WHAT: &str = "/etc/resolv.conf of the pod";
    answers.texts(RESOLV_CONF, 1, WHAT).and_then(|texts| {
        let mut own: Vec<Observed<String>> = texts
            .into_iter()
            .filter(|(path, _)| process(path).is_some_and(|process| processes.contains(process)))
            .map(|(_, text)| text)
            .collect();
        own.sort_by_key(|text| text.seen().is_none());
        let first = own.into_iter().next();
        first.unwrap_or_else(|| Observed::Unseen(answers.gap(WHAT, "it has none")))
    })
}

/// As processes of the pod see them: `/lib/ld-musl-x86_64.so.1`.
fn loaders(answers: &Answers<'_>, processes: &BTreeSet<&str>) -> Observed<Vec<String>> {
    let mut all = BTreeSet::new();
    for (id, pattern) in (LOADERS..).zip(LOADER_PATTERNS) {
        match answers.outcome(id, pattern) {
            Observed::Seen(ReadOutcome::Paths { paths }) => {
                let own = paths
                    .iter()
                    .filter(|path| process(path).is_some_and(|process| processes.contains(process)));
                all.extend(own.filter_map(|path| Some(path.split_once("/root")?.1.to_owned())));
            }
            Observed::Seen(_) => return Observed::Unseen(answers.gap(pattern, "another answer than paths")),
            Observed::Unseen(gap) => return Observed::Unseen(gap),
        }
    }
    Observed::Seen(all.into_iter().collect())
}

/// The number of the process in a path below `/proc`.
fn process(path: &str) -> Option<&str> {
    let process = path.strip_prefix("/proc/")?.split('/').next()?;
    process
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(process)
}

#[cfg(test)]
mod tests {
    use netprobe::{FileText, ReadAnswer};

    use super::*;

    const UID: &str = "1b8a6e40-0c1f-4a52-9d6f-0123456789ab";

    fn answers(reads: &[ReadAnswer]) -> Answers<'_> {
        Answers {
            node: "node1",
            tier: Tier::Privileged,
            by_id: reads.iter().map(|answer| (answer.id, answer)).collect(),
            cut_off: None,
        }
    }

    fn texts(id: u32, all: &[(&str, &str)]) -> ReadAnswer {
        let text = |text: &str| FileText::Text {
            text: text.to_owned(),
            truncated: false,
        };
        let files = all.iter().map(|(path, of)| ((*path).to_owned(), text(of)));
        ReadAnswer {
            id,
            outcome: ReadOutcome::Files {
                files: files.collect(),
            },
        }
    }

    fn paths(id: u32, all: &[&str]) -> ReadAnswer {
        let paths = all.iter().map(|&path| path.to_owned()).collect();
        ReadAnswer {
            id,
            outcome: ReadOutcome::Paths { paths },
        }
    }

    #[test]
    fn only_the_files_of_the_pod_itself_are_its_own() {
        let slice = format!(
            "0::/kubepods.slice/kubepods-pod{}.slice/x.scope\n",
            UID.replace('-', "_")
        );
        let reads = [
            texts(
                GROUPS,
                &[
                    ("/proc/12/cgroup", &format!("0::/kubepods/pod{UID}/a\n")),
                    ("/proc/13/cgroup", &slice),
                    ("/proc/99/cgroup", "0::/kubepods/pod0/b\n"),
                    ("/proc/self/cgroup", &format!("0::/kubepods/pod{UID}/a\n")),
                ],
            ),
            texts(
                RESOLV_CONF,
                &[
                    ("/proc/13/root/etc/resolv.conf", "nameserver 10.96.0.10\n"),
                    ("/proc/99/root/etc/resolv.conf", "nameserver 8.8.8.8\n"),
                ],
            ),
            paths(LOADERS, &["/proc/13/root/lib/ld-musl-x86_64.so.1"]),
            paths(LOADERS + 1, &["/proc/99/root/lib/ld-linux-aarch64.so.1"]),
            paths(LOADERS + 2, &["/proc/99/root/lib64/ld-linux-x86-64.so.2"]),
        ];
        let files = files(&answers(&reads), UID);
        let files = files.seen().unwrap();
        assert_eq!(files.resolv_conf.seen().unwrap(), "nameserver 10.96.0.10\n");
        assert_eq!(files.loaders.seen().unwrap(), &["/lib/ld-musl-x86_64.so.1"]);
    }

    #[test]
    fn a_pod_without_a_process_is_unseen_and_not_without_a_resolv_conf() {
        let reads = [texts(GROUPS, &[("/proc/99/cgroup", "0::/kubepods/pod0/b\n")])];
        assert!(files(&answers(&reads), UID).gap().is_some());
        assert!(files(&answers(&[]), UID).gap().is_some());
    }
}
