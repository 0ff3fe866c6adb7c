use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netprobe::Outcome;
use observation::{LookupServer, NameClass};
use report::{Evidence, Finding, Gap, GapReason, Severity, Subject};

use super::silence::is_udp_lost_everywhere;
use super::table::{Row, State, Table};
use super::{judged, seen};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Each server that DNS pods pass questions on to, asked from a probe pod on their nodes.
pub(crate) static CHECK: Check = Check {
    id: "dns-up",
    claim: "the servers that DNS passes names outside on to answer from the nodes of its pods",
    needs: &[Need::Lookups],
    judge,
};

/// What CoreDNS waits for an upstream, in microseconds (plugin/forward: `readTimeout`).
const PATIENCE_US: u64 = 2_000_000;

fn judge(view: &View<'_>) -> Judgement {
    judged(view, |table| {
        let upstreams = upstreams(table);
        let unread = &table.lookups.upstreams_unread;
        if upstreams.is_empty() && unread.is_empty() && super::table_is_whole(table) {
            let is_about_others = table.lookups.pace.is_some()
                || table.rows.iter().any(|row| row.lookup.class == NameClass::Asked);
            return if is_about_others {
                Judgement::not_asked()
            } else {
                Judgement::skipped("no server was asked that DNS passes names on to")
            };
        }
        let mut judgement = Judgement {
            gaps: unread.clone(),
            ..Judgement::default()
        };
        if is_udp_lost_everywhere(table) {
            // What loses lookups between pods loses those to upstreams too, and says nothing of them.
            judgement.gaps.push(Gap {
                what: "upstreams over UDP".to_owned(),
                why: GapReason::Failed,
                message: "no lookup over UDP is answered in this cluster, whoever is asked".to_owned(),
                hint: None,
            });
            return judgement;
        }
        let dead_from = |node: &str| {
            let all = upstreams.values().filter_map(|upstream| upstream.from.get(node));
            all.clone().count() > 1 && all.into_iter().all(Tries::is_dead)
        };
        for (address, upstream) in &upstreams {
            judgement
                .findings
                .extend(upstream.finding(*address, table, upstreams.len(), &dead_from));
        }
        judgement
    })
}

/// What one node heard of one upstream.
#[derive(Default)]
struct Tries<'t, 'a> {
    udp: Vec<&'t Row<'a>>,
    tcp: Vec<&'t Row<'a>>,
}

impl Tries<'_, '_> {
    fn answers(rows: &[&Row<'_>]) -> bool {
        rows.iter().any(|row| matches!(row.state, State::Said(_)))
    }

    fn fails(rows: &[&Row<'_>]) -> bool {
        rows.iter().any(|row| matches!(row.state, State::Failed(_))) && !Self::answers(rows)
    }

    fn is_dead(&self) -> bool {
        Self::fails(&self.udp) && !Self::answers(&self.tcp)
    }

    /// Whether answers over UDP take longer than CoreDNS waits.
    fn is_slow(&self) -> bool {
        let mut times = self
            .udp
            .iter()
            .flat_map(|row| &row.lookup.samples)
            .filter_map(|sample| sample.outcome.rtt_us())
            .peekable();
        times.peek().is_some() && times.all(|time| time > PATIENCE_US)
    }
}

struct Upstream<'t, 'a> {
    written: &'t Subject,
    zone: &'t str,
    from: BTreeMap<&'t str, Tries<'t, 'a>>,
}

fn upstreams<'t, 'a>(table: &'t Table<'a>) -> BTreeMap<IpAddr, Upstream<'t, 'a>> {
    let mut all: BTreeMap<IpAddr, Upstream<'t, 'a>> = BTreeMap::new();
    for row in &table.rows {
        let (LookupServer::Upstream { zone, written }, Some(node)) =
            (&row.lookup.server, row.lookup.source.node())
        else {
            continue;
        };
        let upstream = all.entry(row.lookup.address.ip()).or_insert_with(|| Upstream {
            written,
            zone,
            from: BTreeMap::new(),
        });
        let tries = upstream.from.entry(node).or_default();
        if row.lookup.is_tcp() {
            tries.tcp.push(row);
        } else {
            tries.udp.push(row);
        }
    }
    all
}

impl<'t, 'a> Upstream<'t, 'a> {
    fn finding(
        &self,
        address: IpAddr,
        table: &Table<'_>,
        upstreams: usize,
        dead_from: &impl Fn(&str) -> bool,
    ) -> Option<Finding> {
        let nodes = |is: &dyn Fn(&Tries<'t, 'a>) -> bool| -> BTreeSet<&str> {
            let those = self.from.iter().filter(|(_, tries)| is(tries));
            those.map(|(node, _)| *node).collect()
        };
        let dead = nodes(&Tries::is_dead);
        let without_udp = nodes(&|tries| Tries::fails(&tries.udp) && !tries.is_dead());
        let without_tcp = nodes(&|tries| Tries::fails(&tries.tcp) && Tries::answers(&tries.udp));
        let slow = nodes(&Tries::is_slow);
        let (what, severity, sick) = if !dead.is_empty() {
            ("does not answer", Severity::Error, dead)
        } else if !without_udp.is_empty() {
            ("answers over TCP and not over UDP", Severity::Error, without_udp)
        } else if !slow.is_empty() {
            (
                "answers after more than the 2 s that CoreDNS waits",
                Severity::Warning,
                slow,
            )
        } else if !without_tcp.is_empty() {
            (
                "answers over UDP and not over TCP, so that long answers fail",
                Severity::Warning,
                without_tcp,
            )
        } else {
            return None;
        };
        // One node that reaches none of several is what is broken, and not each of them.
        let is_nodes =
            sick.len() < self.from.len() || (upstreams > 1 && sick.iter().all(|node| dead_from(node)));
        let one = sick.first().copied();
        let subject = match one {
            Some(node) if sick.len() == 1 && is_nodes && self.from.len() > 1 => Subject::node(node),
            _ => self.written.clone(),
        };
        let from: Vec<&str> = sick.iter().copied().collect();
        let zone = match self.zone {
            "." => "names outside".to_owned(),
            zone => format!("names below {zone}"),
        };
        let summary = format!(
            "{address}, to which DNS passes {zone} on, {what} from {}",
            from.join(", ")
        );
        let tries = self.from.get(one?)?;
        let mut evidence: Vec<Evidence> = Vec::new();
        evidence.extend(tries.udp.first().map(|row| seen(row)));
        evidence.extend(tries.tcp.first().map(|row| seen(row)));
        let inside = table.rows.iter().find(|row| {
            super::table::is_own(&row.lookup.server)
                && super::table::is_of_cluster(row.lookup.class)
                && row.is_right() == Some(true)
        });
        evidence.extend(inside.map(seen));
        let mut finding = Finding::new(CHECK.id, severity, subject, summary, evidence.first()?.clone());
        finding.evidence = evidence;
        finding.hint = Some(hint(tries));
        if severity == Severity::Error {
            finding.explains = vec!["dns-res-ext".to_owned(), "dns-res-extname".to_owned()];
        }
        Some(finding)
    }
}

fn hint(tries: &Tries<'_, '_>) -> String {
    let is_told = tries
        .udp
        .iter()
        .flat_map(|row| &row.lookup.samples)
        .any(|sample| {
            matches!(
                sample.outcome,
                Outcome::Refused { .. } | Outcome::NetUnreachable { .. } | Outcome::HostUnreachable { .. }
            )
        });
    let what = if is_told {
        "correct the address, or open the way there"
    } else {
        "see whether the address is that of a DNS server, and whether pods of that node reach anything outside"
    };
    format!("{what}: `kubectl netcheck egress`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookups::fixture::{Scene, silence};
    use crate::shown;

    fn scene() -> Scene {
        let mut scene = Scene::new();
        scene.upstreams = vec![[192, 0, 2, 53], [192, 0, 2, 54]];
        scene
    }

    fn is_to(lookup: &observation::Lookup, last: u8) -> bool {
        lookup.address.ip() == IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn an_upstream_that_answers_nobody_is_named_with_what_says_to_ask_it() {
        let observation = scene().observe(|lookup| is_to(lookup, 53).then(silence));
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].subject.to_string(),
            "configmap/coredns -n kube-system"
        );
        assert!(
            findings[0].summary.starts_with("192.0.2.53"),
            "{}",
            findings[0].summary
        );
        assert!(findings[0].concerns("dns-res-ext"));
    }

    #[test]
    fn a_node_that_reaches_none_of_them_is_named_itself() {
        let observation = scene().observe(|lookup| {
            let is_upstream = matches!(lookup.server, LookupServer::Upstream { .. });
            (is_upstream && lookup.source.node() == Some("node2")).then(silence)
        });
        let findings = shown::finds(&CHECK, &observation);
        assert!(
            findings
                .iter()
                .all(|finding| finding.subject == Subject::node("node2"))
        );
    }

    #[test]
    fn one_without_tcp_is_worth_a_warning() {
        let observation = scene().observe(|lookup| (is_to(lookup, 54) && lookup.is_tcp()).then(silence));
        assert_eq!(shown::finds(&CHECK, &observation)[0].severity, Severity::Warning);
    }

    #[test]
    fn where_no_lookup_over_udp_is_answered_upstreams_are_not_to_blame() {
        let observation = scene().observe(|lookup| (!lookup.is_tcp()).then(silence));
        shown::cannot_tell(&CHECK, &observation);
    }

    #[test]
    fn upstreams_that_answer_pass_and_unasked_ones_are_a_gap() {
        shown::passes(&CHECK, &scene().observe(|_| None));
        shown::cannot_tell(&CHECK, &scene().unanswered());
    }
}
