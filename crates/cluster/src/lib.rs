//! The cluster as the user's kubectl sees it: the same flags, the same kubeconfig rules, the same words when something
//! is wrong. What is read comes back as [`report::Observed`]: seen, or why not.
//!
//! Nothing here judges what it reads.

mod args;
mod backends;
mod body;
mod client;
mod cluster;
mod cni;
mod condition;
mod connection;
mod credentials;
mod dns;
mod duration;
mod egress;
mod environment;
mod error;
mod exec;
mod follow;
mod gap;
mod host_ports;
mod items;
mod kube_proxy;
mod kubeconfig;
mod list;
mod load;
mod loading;
mod log;
mod nodes;
mod object;
mod pod_log;
mod pod_state;
mod pods;
mod policy;
mod proxy;
mod questions;
mod sanitize;
#[cfg(test)]
mod scripted;
mod selector;
mod services;
mod transport;
mod transport_error;
mod usage;
mod validation;
mod warning;

pub use args::{ConnectionArgs, kubectl_habits, normalize_args, parse_bool};
pub use backends::{CallerKind, RouteKind};
pub use cluster::{Cluster, Identity};
pub use dns::DnsRead;
pub use duration::parse_timeout as parse_duration;
pub use environment::Environment;
pub use error::ClusterError;
pub use follow::Followed;
pub use list::ListQuery;
pub use loading::KubeconfigNames;
pub use nodes::{NodeImage, NodeRead};
pub use sanitize::sanitize;
pub use selector::{Selector, SelectorError};
pub use services::ServiceScope;
pub use usage::Usage;
pub use warning::{StderrWarnings, WarningSink};
