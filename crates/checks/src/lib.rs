//! What to look at, and what follows from it: planning, judging, localising, and the table of checks.
//!
//! Pure: an [`observation::Observation`] in, a [`report::Report`] out. The same observation always gives the same report.

mod calico;
#[cfg(test)]
mod cases;
mod causes;
mod check;
mod cilium;
mod cni;
mod control;
mod coverage;
mod dns;
mod egress;
mod endpoints;
mod firewall;
mod fold;
mod guide;
mod judge;
mod localise;
mod lookups;
mod measured;
mod node;
#[cfg(test)]
mod node_scene;
mod nodes;
mod outcome;
mod path;
mod plan;
mod pod;
mod pod_network;
mod policy;
mod product;
mod proxy;
mod quantity;
mod reach;
mod rules;
mod scene;
#[cfg(test)]
mod schema;
mod service;
mod shell;
#[cfg(test)]
mod shown;
#[cfg(test)]
mod simulation;
mod suggestion;
mod terway;
mod tracked;
mod tries;
mod underlay;
mod view;

pub use check::{Breaks, CHECKS, Check, Judgement, Need, Selection};
pub use coverage::{Row, Status, coverage, document as coverage_document, row};
pub use endpoints::wanted_second_look;
pub use fold::{SourceAnswers, fold};
pub use guide::{Guide, UnknownId, guide};
pub use judge::{JudgeOptions, judge, judge_selected};
pub use lookups::{
    DnsPodAt, DnsServerAt, LookupAnswers, LookupOptions, LookupPlan, LookupQuestion, Series, SourceLookups,
    dns_servers, fold_lookups, lookup_questions, named_question, outside_questions, plan_lookups, record,
    search_questions, upstreams, upstreams_unread,
};
pub use measured::{Asked, wanted_measures};
pub use plan::{MeshOptions, MeshPlan, PlannedCell, SourcePlan, plan_measures, plan_mesh};
pub use reach::{
    Effort, EgressTarget, Place as ReachPlace, ReachOptions, ReachPlan, ServiceDepth, SourceTries, Wanted,
    assemble, dns_service, fold_reach, plan_control_plane, plan_controls, plan_egress, plan_host_ports,
    plan_outside, plan_own_service, plan_performance, plan_services, ready_endpoints,
};
pub use rules::{Led, led};
pub use service::{NETWORK_NAMESPACES, slow_nodes};
pub use suggestion::{policy_question_missing, suggested_policies};
pub use tracked::{TrackedAsked, asked as tracked_asked};
pub use tries::came_out_right;
pub use underlay::{name_gateways, plan_nodes, plan_own_nodes, plan_own_pods};
pub use view::View;
