//! Who runs a run, written on its objects, and whether that program still lives. What decides is pure.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::names;

const HOST: &str = "netcheck.dev/owner-host";
const PID: &str = "netcheck.dev/owner-pid";
const PID_STARTED: &str = "netcheck.dev/owner-pid-started";
const STARTED: &str = "netcheck.dev/started";
const EXPIRES: &str = "netcheck.dev/expires";
const LASTS: &str = "netcheck.dev/lasts-seconds";
/// On the run's main ConfigMap only: renewed every few seconds while the run lives.
pub(crate) const HEARTBEAT: &str = "netcheck.dev/heartbeat";

/// What a machine and a program can say of themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// A hash of the machine's id, its boot and the pid namespace: where it is equal, a pid means the same process.
    /// `None` where the system does not tell them.
    pub(crate) host: Option<String>,
    pub(crate) pid: u32,
    /// In clock ticks since boot; `None` where the system does not tell.
    pub(crate) pid_started: Option<u64>,
    /// At most this long after its creation the run is over.
    pub(crate) lasts: Duration,
}

impl Owner {
    /// This program, for a run that may last so long.
    pub(crate) fn this(lasts: Duration) -> Self {
        let pid = std::process::id();
        Self {
            host: host(),
            pid,
            pid_started: process_start(pid),
            lasts,
        }
    }

    /// As it is written on every object of the run. The times are for people: liveness is judged by the API server's
    /// clock alone, since no two clocks agree.
    pub(crate) fn annotations(&self, now: Timestamp) -> BTreeMap<String, String> {
        let expires = now.checked_add(signed(self.lasts)).unwrap_or(Timestamp::MAX);
        let mut annotations = BTreeMap::from([
            (PID.to_owned(), self.pid.to_string()),
            (STARTED.to_owned(), now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            (
                EXPIRES.to_owned(),
                expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            ),
            (LASTS.to_owned(), self.lasts.as_secs().to_string()),
        ]);
        if let Some(host) = &self.host {
            annotations.insert(HOST.to_owned(), host.clone());
        }
        if let Some(started) = self.pid_started {
            annotations.insert(PID_STARTED.to_owned(), started.to_string());
        }
        annotations
    }

    /// Reads what [`Self::annotations`] wrote; `None` when it is not there or cannot be read.
    pub(crate) fn read(annotations: &BTreeMap<String, String>) -> Option<Self> {
        Some(Self {
            host: annotations.get(HOST).cloned(),
            pid: annotations.get(PID)?.parse().ok()?,
            pid_started: annotations
                .get(PID_STARTED)
                .and_then(|started| started.parse().ok()),
            lasts: Duration::from_secs(annotations.get(LASTS)?.parse().ok()?),
        })
    }
}

/// What can be told of a run's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Life {
    /// It lives, or that cannot be excluded; the clause says by what.
    Live(String),
    /// It is dead; the clause says by what.
    Dead(String),
}

/// [`Life`], or that the heartbeat must be watched to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Known(Life),
    /// It beats when another value than this is read after a while.
    Heartbeat(String),
}

/// What the objects of a run say of it.
#[derive(Clone, Debug)]
pub(crate) struct Testimony {
    pub(crate) owner: Option<Owner>,
    /// Of its youngest object, by the API server's clock.
    pub(crate) created: Option<Timestamp>,
    pub(crate) heartbeat: Option<String>,
}

/// Objects without a legible owner are spared for so long.
const UNSIGNED: SignedDuration = SignedDuration::from_hours(1);

/// Judges whether a run lives, at `now` by the API server's clock, seen from `here`. `process_start` tells when the
/// process with a pid of this machine began, `None` when there is none.
pub(crate) fn judge(
    testimony: &Testimony,
    now: Timestamp,
    here: &Owner,
    process_start: impl Fn(u32) -> Option<u64>,
) -> Judgement {
    let live = |why: String| Judgement::Known(Life::Live(why));
    let dead = |why: String| Judgement::Known(Life::Dead(why));
    let Some(created) = testimony.created else {
        return live("it does not say when it began".to_owned());
    };
    let age = now.duration_since(created);
    let Some(owner) = &testimony.owner else {
        return if age > UNSIGNED {
            dead("it does not say who runs it, and is older than an hour".to_owned())
        } else {
            live("it does not say who runs it, and is younger than an hour".to_owned())
        };
    };
    let left = signed(owner.lasts) - age;
    if left.is_negative() {
        return dead(format!("it should have ended {} s ago", left.abs().as_secs()));
    }
    let same_host = owner.host.is_some() && owner.host == here.host;
    if let (true, Some(started)) = (same_host, owner.pid_started) {
        return if process_start(owner.pid) == Some(started) {
            live(format!("process {} of this machine runs it", owner.pid))
        } else {
            dead(format!(
                "process {} of this machine, which ran it, is gone",
                owner.pid
            ))
        };
    }
    match &testimony.heartbeat {
        Some(heartbeat) => Judgement::Heartbeat(heartbeat.clone()),
        None => live(format!(
            "another machine runs it, for {} s more at the most",
            left.as_secs()
        )),
    }
}

/// Judges a run of another machine by its heartbeat, read twice with at least two beats in between.
pub(crate) fn judge_heartbeat(before: &str, after: Option<&str>, watched: Duration) -> Life {
    match after {
        Some(after) if after != before => Life::Live("its heartbeat goes on".to_owned()),
        Some(_) => Life::Dead(format!("its heartbeat stood still for {} s", watched.as_secs())),
        None => Life::Live("it is just being removed by somebody else".to_owned()),
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

/// When a process began, in clock ticks since boot: field 22 of `/proc/PID/stat` (proc(5)).
pub(crate) fn process_start(pid: u32) -> Option<u64> {
    parse_start(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The second field is the program's name in parentheses, and may itself contain spaces and parentheses.
fn parse_start(stat: &str) -> Option<u64> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

fn host() -> Option<String> {
    let read = |path: &str| {
        std::fs::read_to_string(path)
            .ok()
            .map(|text| text.trim().to_owned())
    };
    let machine = read("/etc/machine-id").unwrap_or_else(|| "no machine id".to_owned());
    let boot = read("/proc/sys/kernel/random/boot_id")?;
    let pids = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let mut hash = names::digest(&[&machine, &boot, &pids.to_string_lossy()]);
    hash.truncate(32);
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(host: Option<&str>, pid_started: Option<u64>) -> Owner {
        Owner {
            host: host.map(str::to_owned),
            pid: 7,
            pid_started,
            lasts: Duration::from_mins(10),
        }
    }

    fn judged(owner: Option<Owner>, age: i64, heartbeat: Option<&str>) -> Judgement {
        let created: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let here = self::owner(Some("here"), Some(1));
        let testimony = Testimony {
            owner,
            created: Some(created),
            heartbeat: heartbeat.map(str::to_owned),
        };
        let now = created + SignedDuration::from_secs(age);
        judge(&testimony, now, &here, |pid| (pid == 7).then_some(100))
    }

    fn life(judgement: &Judgement) -> &str {
        match judgement {
            Judgement::Known(Life::Live(_)) => "live",
            Judgement::Known(Life::Dead(_)) => "dead",
            Judgement::Heartbeat(_) => "heartbeat",
        }
    }

    #[test]
    fn who_lives() {
        let here = |started| Some(owner(Some("here"), Some(started)));
        let elsewhere = Some(owner(Some("elsewhere"), Some(100)));
        for (what, owner, age, heartbeat, expected) in [
            ("its process lives here", here(100), 10, None, "live"),
            ("its process is gone", here(99), 1, None, "dead"),
            (
                "its process is gone, whatever the heartbeat was",
                here(99),
                1,
                Some("a"),
                "dead",
            ),
            (
                "its process lives but it should be over",
                here(100),
                601,
                None,
                "dead",
            ),
            (
                "another machine's is spared while it may run",
                elsewhere.clone(),
                599,
                None,
                "live",
            ),
            (
                "another machine's ends at its time",
                elsewhere.clone(),
                601,
                None,
                "dead",
            ),
            (
                "another machine's ends at its time, heartbeat or not",
                elsewhere.clone(),
                601,
                Some("a"),
                "dead",
            ),
            (
                "another machine's is watched",
                elsewhere,
                20,
                Some("a"),
                "heartbeat",
            ),
            (
                "a machine that tells nothing of itself is not this one",
                Some(owner(None, Some(99))),
                20,
                None,
                "live",
            ),
            (
                "without a start a pid proves nothing",
                Some(owner(Some("here"), None)),
                20,
                Some("a"),
                "heartbeat",
            ),
            ("nobody's young one is spared", None, 3599, None, "live"),
            ("nobody's old one is dead", None, 3601, None, "dead"),
            (
                "a clock that runs behind kills nobody",
                here(100),
                -50,
                None,
                "live",
            ),
        ] {
            assert_eq!(life(&judged(owner, age, heartbeat)), expected, "{what}");
        }
    }

    #[test]
    fn a_heartbeat_that_changes_is_life() {
        let watched = Duration::from_secs(12);
        assert!(matches!(judge_heartbeat("a", Some("b"), watched), Life::Live(_)));
        assert!(matches!(judge_heartbeat("a", Some("a"), watched), Life::Dead(_)));
        assert!(matches!(judge_heartbeat("a", None, watched), Life::Live(_)));
    }

    #[test]
    fn an_owner_reads_back_what_it_wrote() {
        for owner in [owner(Some("here"), Some(3)), owner(None, None)] {
            let annotations = owner.annotations("2026-01-01T00:00:00Z".parse().unwrap());
            assert_eq!(Owner::read(&annotations), Some(owner));
            assert_eq!(annotations["netcheck.dev/expires"], "2026-01-01T00:10:00Z");
        }
        assert_eq!(Owner::read(&BTreeMap::new()), None);
    }

    #[test]
    fn the_start_of_a_process_is_read_behind_a_name_with_parentheses() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 987654 0 0";
        assert_eq!(parse_start(stat), Some(987_654));
        assert_eq!(parse_start(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_lives() {
        let this = Owner::this(Duration::from_secs(1));
        assert!(this.host.is_some());
        assert_eq!(process_start(this.pid), this.pid_started);
        assert!(this.pid_started.is_some());
    }
}
