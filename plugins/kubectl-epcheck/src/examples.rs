//! Examples of each command, as `--help` shows them.

use plugin::Examples;

pub(crate) const EXAMPLES: &[Examples] = &[
    (
        "",
        &[
            ("Look at all Services of the namespace", "kubectl epcheck"),
            (
                "Say why the Service web has no endpoints, or does not reach them",
                "kubectl epcheck svc web -n shop",
            ),
        ],
    ),
    (
        "scan",
        &[
            (
                "Look at all Services of the context's namespace",
                "kubectl epcheck scan",
            ),
            (
                "Of all namespaces, and only the names of those with a problem",
                "kubectl epcheck scan -A -o name",
            ),
        ],
    ),
    (
        "svc",
        &[
            (
                "Look at a Service from all sides",
                "kubectl epcheck svc web -n shop",
            ),
            (
                "By what the API says only; nothing is started",
                "kubectl epcheck svc web -n shop --static",
            ),
            (
                "The Services behind an Ingress",
                "kubectl epcheck svc ingress/shop -n shop --static",
            ),
            (
                "Hold the rules of each node against the API as well",
                "kubectl epcheck svc web -n shop --node-access",
            ),
        ],
    ),
    (
        "rules",
        &[
            (
                "Hold the rules of all nodes against the API",
                "kubectl epcheck rules --node-access",
            ),
            (
                "Show the way of a connection through the rules of a node",
                "kubectl epcheck rules web -n shop --node-access --explain-path",
            ),
        ],
    ),
    (
        "lb",
        &[(
            "Count to which endpoint 200 connections from each node go",
            "kubectl epcheck lb web -n shop --count 200 --node-access",
        )],
    ),
    (
        "watch",
        &[
            (
                "Print a line for each endpoint of the namespace that comes or goes",
                "kubectl epcheck watch -n shop",
            ),
            (
                "Watch one Service for ten minutes",
                "kubectl epcheck watch web -n shop --duration 10m",
            ),
        ],
    ),
    (
        "proxy",
        &[
            ("Look at kube-proxy on every node", "kubectl epcheck proxy"),
            (
                "Hold its rules against the API too",
                "kubectl epcheck proxy --node-access",
            ),
        ],
    ),
    (
        "conntrack",
        &[
            (
                "Find UDP clients that are tied to an endpoint that is gone",
                "kubectl epcheck conntrack --node-access",
            ),
            (
                "List connections to one Service",
                "kubectl epcheck conntrack web -n shop --node-access",
            ),
        ],
    ),
];
