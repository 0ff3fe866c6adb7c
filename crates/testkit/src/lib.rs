//! For tests only: a Kubernetes API server on loopback with a simulated cluster behind it, and cases for checks.
//!
//! [`FakeApi`] answers over plain HTTP what a client of this suite, and kubectl, ask: objects with selectors, pages,
//! watches, patches and deletions, reviews, discovery, and exec over WebSockets. Behind it kubelets start pods, a
//! scheduler binds them, namespaces take their time to end, and what has no owner any more is collected. In every
//! pod runs an agent that speaks the wire format of `netprobe` and answers from a function of the test.
//!
//! What it does not do: TLS, SPDY, protobuf (kubectl from 1.32 on creates namespaces and reviews with it), tables,
//! OpenAPI, JSON patches, merging of lists by key, resource requests.
//!
//! ```
//! use testkit::{Config, ExecEffect, ExecFault, FakeApi, Fault, cluster_of};
//!
//! // Three nodes; nothing from the first reaches the second.
//! let config = Config::new(cluster_of(3)).quick().connectivity(|path| {
//!     if path.is("node-001", "node-002") { path.timed_out() } else { path.ok() }
//! });
//! let api = FakeApi::start(config);
//! // The first list of nodes is refused, the namespace cannot be created, and one exec breaks off.
//! api.inject(Fault::status("list", "/api/v1/nodes", 503).times(1));
//! api.deny("create", "namespaces");
//! api.inject_exec(ExecFault::new("node-003", ExecEffect::BreakAfter(1)).times(1));
//! // … run a command with `--kubeconfig` …
//! println!("{}", api.kubeconfig_file().display());
//! assert!(api.requests().is_empty());
//! assert!(api.labelled("app.kubernetes.io/managed-by", "netcheck").is_empty(), "nothing is left over");
//! ```

mod agent;
mod bulk;
mod cases;
mod change;
mod cluster;
mod config;
mod controllers;
mod create;
mod cutting;
mod delete;
mod discovery;
mod exec;
mod failure;
mod fake;
mod fault;
mod kubelet;
mod podstatus;
mod read;
mod request;
mod resource;
mod scheduler;
mod selector;
mod server;
mod shared;
mod store;
mod watching;

pub use agent::Path;
pub use cases::{Case, CaseErrors, cases};
pub use cluster::{Cluster, cluster_of, node_name};
pub use config::{Command, CommandOutput, Commands, Config, Connectivity, Kubelets, NodeBehaviour, V4, V5};
pub use fake::{FakeApi, Recorded};
pub use fault::{Admission, Denial, Effect, ExecEffect, ExecFault, Fault};
pub use resource::Resource;
