//! What the value of an argument names.

use std::any::TypeId;

use clap::{Arg, ValueHint};

/// What a value names, and so where its candidates come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The kubeconfig.
    Contexts,
    /// The kubeconfig.
    Clusters,
    /// The kubeconfig.
    Users,
    /// Objects of the cluster. Names of the first type stand alone; the others take `TYPE/`.
    Objects(&'static [Type]),
    /// Ids of checks.
    Checks,
    /// True or false.
    Switch,
    /// Files of this machine: the shell knows them.
    Files,
    /// Directories of this machine.
    Directories,
    /// What nobody can list: a text, a number, an address.
    Anything,
}

/// A type of objects that can be named on a command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Type {
    /// As it is suggested, in the singular.
    pub(super) name: &'static str,
    /// All that may stand before the slash.
    pub(super) spellings: &'static [&'static str],
    pub(super) group: &'static str,
    pub(super) resource: &'static str,
    pub(super) namespaced: bool,
    /// Whether the name may stand alone where this is the first type.
    pub(super) bare: bool,
}

const fn core(name: &'static str, spellings: &'static [&'static str], resource: &'static str) -> Type {
    Type {
        name,
        spellings,
        group: "",
        resource,
        namespaced: true,
        bare: false,
    }
}

const fn apps(name: &'static str, spellings: &'static [&'static str], resource: &'static str) -> Type {
    Type {
        group: "apps",
        ..core(name, spellings, resource)
    }
}

const POD: Type = core("pod", &["pod", "pods", "po"], "pods");
const SERVICE: Type = core("service", &["service", "services", "svc"], "services");
const NODE: Type = Type {
    namespaced: false,
    ..core("node", &["node", "nodes", "no"], "nodes")
};
const NAMESPACE: Type = Type {
    namespaced: false,
    bare: true,
    ..core("namespace", &["namespace", "namespaces", "ns"], "namespaces")
};
const DEPLOYMENT: Type = apps(
    "deployment",
    &["deployment", "deployments", "deploy"],
    "deployments",
);
const STATEFUL_SET: Type = apps(
    "statefulset",
    &["statefulset", "statefulsets", "sts"],
    "statefulsets",
);
const DAEMON_SET: Type = apps("daemonset", &["daemonset", "daemonsets", "ds"], "daemonsets");
const INGRESS: Type = Type {
    group: "networking.k8s.io",
    ..core("ingress", &["ingress", "ingresses", "ing"], "ingresses")
};
const SECRET: Type = Type {
    bare: true,
    ..core("secret", &["secret", "secrets"], "secrets")
};

const NAMESPACES: &[Type] = &[NAMESPACE];
const SECRETS: &[Type] = &[SECRET];
const NODES: &[Type] = &[Type { bare: true, ..NODE }];
const PODS: &[Type] = &[Type { bare: true, ..POD }];
const OWN_PODS: &[Type] = &[POD];
const SERVICES: &[Type] = &[Type {
    bare: true,
    ..SERVICE
}];
const BACKED: &[Type] = &[
    Type {
        bare: true,
        ..SERVICE
    },
    INGRESS,
];
const SOURCES: &[Type] = &[POD, NODE];
const DESTINATIONS: &[Type] = &[SERVICE, POD, NODE];
const FLOW_SOURCES: &[Type] = &[Type { bare: true, ..POD }, DEPLOYMENT, STATEFUL_SET, DAEMON_SET];
const FLOW_DESTINATIONS: &[Type] = &[
    Type { bare: true, ..POD },
    SERVICE,
    DEPLOYMENT,
    STATEFUL_SET,
    DAEMON_SET,
];

/// What the value of this argument names; `None` for one that nobody has thought of, which a test finds.
///
/// `command` is the name of its command: the same word stands for more in some.
pub(super) fn of(argument: &Arg, command: &str) -> Option<Kind> {
    if argument.get_value_parser().type_id() == TypeId::of::<bool>() {
        return Some(Kind::Switch);
    }
    let name = argument.get_value_names().and_then(|names| names.first());
    let name = name.map_or("", |name| name.as_str());
    Some(match argument.get_long().unwrap_or_default() {
        "context" => Kind::Contexts,
        "cluster" => Kind::Clusters,
        "user" => Kind::Users,
        "namespace" | "probe-namespace" => Kind::Objects(NAMESPACES),
        "node" => Kind::Objects(NODES),
        "from" => Kind::Objects(OWN_PODS),
        "image-pull-secret" => Kind::Objects(SECRETS),
        "check" | "skip-check" | "explain-check" => Kind::Checks,
        "" => match (command, name) {
            ("svc", "SERVICE") => Kind::Objects(BACKED),
            (_, "SERVICE") => Kind::Objects(SERVICES),
            (_, "POD") => Kind::Objects(PODS),
            (_, "POD|SRC") => Kind::Objects(FLOW_SOURCES),
            ("policy", "DST") => Kind::Objects(FLOW_DESTINATIONS),
            (_, "SRC") => Kind::Objects(SOURCES),
            (_, "DST") => Kind::Objects(DESTINATIONS),
            ("checks", "ID") => Kind::Checks,
            (_, "FILE") => Kind::Files,
            (_, "DIR") => Kind::Directories,
            (_, "NAME" | "TEXT") => Kind::Anything,
            _ => return None,
        },
        _ => match name {
            "FILE" => Kind::Files,
            "DIR" => Kind::Directories,
            _ if argument.get_value_hint() == ValueHint::FilePath => Kind::Files,
            _ if FREE.contains(&name) => Kind::Anything,
            _ if !argument.get_possible_values().is_empty() => Kind::Anything,
            _ => return None,
        },
    })
}

/// Names of values that stand for what nobody can list.
const FREE: &[&str] = &[
    "URL",
    "NAME",
    "TOKEN",
    "USER",
    "UID",
    "GROUP",
    "KEY=VALUE",
    "DURATION",
    "PASSWORD",
    "LEVEL",
    "N",
    "MIB",
    "ID",
    "DOMAIN",
    "HOST:PORT",
    "PORT[/PROTOCOL]",
    "SELECTOR",
    "IMAGE",
    "TAINT",
    "cpu=Q,memory=Q",
    "VERSION",
];
