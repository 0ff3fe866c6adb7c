//! What kube-proxy writes into its log.

use super::cause;
use crate::{Rank, Text};

const LOGS: &str = "kubectl logs -n kube-system -l k8s-app=kube-proxy --tail=100 --prefix";
const PODS: &str = "kubectl get pods -n kube-system -l k8s-app=kube-proxy -o wide";

pub(super) const TEXTS: &[Text] = &[
    Text {
        name: "watch-failed",
        check: "ep-kp-log",
        rank: Rank::Frame,
        patterns: &[
            "failed to watch *v1.endpointslice",
            "failed to watch *v1.service",
            "failed to list *v1.endpointslice",
            "failed to list *v1.service",
            "reflector.go* failed to watch",
        ],
        means: "Whoever wrote this (kube-proxy, CoreDNS, a CNI) no longer hears of changes. It goes on with what it knew: on that node \
                Services or names grow old.",
        excludes: &["what was there before: old entries still work"],
        causes: &[
            cause(
                "the node does not reach the API server",
                "a timeout or a refusal stands behind it",
            ),
            cause("it may not read", "“forbidden” stands behind it"),
        ],
        next: &[LOGS, "kubectl get nodes -o wide"],
    },
    Text {
        name: "rules-not-written",
        check: "ep-kp-log",
        rank: Rank::Cause,
        patterns: &[
            "failed to execute iptables-restore",
            "iptables-restore * failed",
            "sync failed * iptables",
        ],
        means: "kube-proxy could not write its rules on that node. They stay as they were, for all Services.",
        excludes: &["the API server: it told kube-proxy what to write"],
        causes: &[
            cause(
                "a rule that this version or this kernel does not know",
                "the text names a line or a module",
            ),
            cause(
                "somebody else holds the lock or edits the same chains",
                "“xtables lock”, or it comes and goes",
            ),
        ],
        next: &[LOGS, PODS],
    },
    Text {
        name: "xtables-lock",
        check: "ep-kp-log",
        rank: Rank::Cause,
        patterns: &["another app is currently holding the xtables lock"],
        means: "Several programs on that node write packet rules at once, and one had to wait too long.",
        excludes: &["the API server"],
        causes: &[cause(
            "many rules, or a program that writes very often",
            "how long it lasts, and what else runs there",
        )],
        next: &[LOGS],
    },
    Text {
        name: "lenient-decoding",
        check: "ep-kp-cfg",
        rank: Rank::Cause,
        patterns: &["using lenient decoding"],
        means: "kube-proxy did not understand all of its configuration, and went on without what it did not understand.",
        excludes: &["the network"],
        causes: &[cause(
            "a field that is misspelt or no longer exists",
            "the field is named in the same line",
        )],
        next: &["kubectl get configmap kube-proxy -n kube-system -o yaml"],
    },
    Text {
        name: "no-cluster-cidr",
        check: "ep-kp-cfg",
        rank: Rank::Cause,
        patterns: &["no cluster cidr defined", "but no cluster cidr specified"],
        means: "kube-proxy does not know which addresses are pods', so it does not translate the source of what comes from elsewhere.",
        excludes: &["traffic from pods to Services: that works"],
        causes: &[cause(
            "clusterCIDR is empty while detectLocalMode needs it",
            "the ConfigMap of kube-proxy",
        )],
        next: &["kubectl get configmap kube-proxy -n kube-system -o yaml"],
    },
];
