//! Examples of each command, as `--help` shows them.

use plugin::Examples;

pub(crate) const EXAMPLES: &[Examples] = &[
    (
        "",
        &[
            (
                "Find out what is wrong with the network of the cluster",
                "kubectl netcheck",
            ),
            (
                "The same with another context of the kubeconfig",
                "kubectl netcheck diagnose --context staging",
            ),
            (
                "See why the pod web-0 does not reach the Service db",
                "kubectl netcheck path pod/web-0 service/db -n shop",
            ),
        ],
    ),
    (
        "diagnose",
        &[
            ("Look at everything that applies", "kubectl netcheck diagnose"),
            (
                "Also read rules and CNI files of nodes, through a privileged pod on each",
                "kubectl netcheck diagnose --node-access",
            ),
            (
                "Fail a pipeline on warnings too, and keep what was seen",
                "kubectl netcheck diagnose --fail-on warning -o json --save-bundle bundle.json",
            ),
            (
                "Judge what another run saw, without a cluster",
                "kubectl netcheck diagnose --from-bundle bundle.json",
            ),
        ],
    ),
    (
        "node",
        &[
            (
                "Read links, routes and settings of all nodes",
                "kubectl netcheck node",
            ),
            (
                "Read everything of one node",
                "kubectl netcheck node --node node-001 --node-access",
            ),
        ],
    ),
    (
        "mtu",
        &[(
            "Compare what links carry with what gets through",
            "kubectl netcheck mtu",
        )],
    ),
    (
        "pod-to-pod",
        &[
            ("Probe every pair of nodes", "kubectl netcheck pod-to-pod"),
            (
                "Only between the nodes of a pool, with addresses and times",
                "kubectl netcheck pod-to-pod -l pool=web -o wide",
            ),
            (
                "Each pair of a large cluster",
                "kubectl netcheck pod-to-pod --full-mesh",
            ),
        ],
    ),
    (
        "service",
        &[
            (
                "Try service/kubernetes, the cluster's DNS and a sample of Services from each node",
                "kubectl netcheck service",
            ),
            (
                "Try one Service of the namespace shop",
                "kubectl netcheck service web -n shop",
            ),
            (
                "See whether a Service of its own works where yours does not",
                "kubectl netcheck service svc/web -n shop --own-service",
            ),
        ],
    ),
    (
        "egress",
        &[
            (
                "Try the API server's address and the DNS upstream, from pods and from nodes",
                "kubectl netcheck egress",
            ),
            (
                "Try a server outside of the cluster",
                "kubectl netcheck egress --target 192.0.2.10:443",
            ),
        ],
    ),
    (
        "external",
        &[
            (
                "Try node ports and load balancers from this machine",
                "kubectl netcheck external",
            ),
            (
                "Only those of one Service",
                "kubectl netcheck external web -n shop",
            ),
        ],
    ),
    (
        "path",
        &[
            (
                "From a pod to a Service",
                "kubectl netcheck path pod/web-0 service/db -n shop",
            ),
            (
                "From the pod's own network, with the rules of its node",
                "kubectl netcheck path pod/web-0 service/db -n shop --node-access",
            ),
            (
                "From a node to a port of a pod",
                "kubectl netcheck path node/node-001 pod/web-0:8080 -n shop",
            ),
            (
                "From a pod to what lies outside",
                "kubectl netcheck path pod/web-0 192.0.2.10:443 -n shop",
            ),
        ],
    ),
    (
        "perf",
        &[
            ("Measure between all pairs of nodes", "kubectl netcheck perf"),
            (
                "More requests, and 64 MiB each way",
                "kubectl netcheck perf --samples 500 --data 64",
            ),
        ],
    ),
    (
        "watch",
        &[
            (
                "Probe all nodes for five minutes, and print what changes",
                "kubectl netcheck watch",
            ),
            (
                "Every 10 seconds for an hour",
                "kubectl netcheck watch --interval 10s --duration 1h",
            ),
        ],
    ),
    (
        "control-plane",
        &[(
            "Try the API servers and kubelets from pods, and see what the API server calls",
            "kubectl netcheck control-plane",
        )],
    ),
    (
        "policy",
        &[
            (
                "See what the policies of a namespace say, and may not have meant",
                "kubectl netcheck policy -n shop",
            ),
            (
                "List the policies that select a pod",
                "kubectl netcheck policy web-0 -n shop",
            ),
            (
                "Ask whether policies let a flow through",
                "kubectl netcheck policy pod/web-0 service/db --port 5432 -n shop",
            ),
            (
                "See what a policy would change before it is applied",
                "kubectl netcheck policy pod/web-0 service/db -n shop -f policy.yaml",
            ),
        ],
    ),
    (
        "alerts",
        &[
            (
                "Say which rules of a file can never fire",
                "kubectl netcheck alerts lint rules.yaml",
            ),
            ("Print rules to begin with", "kubectl netcheck alerts emit"),
        ],
    ),
    (
        "alerts lint",
        &[
            (
                "Look at rule files of Prometheus",
                "kubectl netcheck alerts lint rules.yaml",
            ),
            (
                "Look at the rules and monitors in the cluster",
                "kubectl netcheck alerts lint --from-cluster",
            ),
        ],
    ),
    (
        "alerts emit",
        &[
            ("A rule file of Prometheus", "kubectl netcheck alerts emit"),
            (
                "An object for the Prometheus operator",
                "kubectl netcheck alerts emit -o prometheusrule",
            ),
        ],
    ),
];
