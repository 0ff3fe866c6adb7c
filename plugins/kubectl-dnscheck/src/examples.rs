//! Examples of each command, as `--help` shows them.

use plugin::Examples;

pub(crate) const EXAMPLES: &[Examples] = &[
    (
        "",
        &[
            ("Find out why names do not resolve", "kubectl dnscheck"),
            (
                "Ask for a name as a pod of the namespace shop would",
                "kubectl dnscheck resolve db -n shop",
            ),
        ],
    ),
    (
        "diagnose",
        &[
            ("Look at everything that applies", "kubectl dnscheck diagnose"),
            (
                "Also ask for a name outside of the cluster",
                "kubectl dnscheck diagnose --external-name example.com",
            ),
        ],
    ),
    (
        "status",
        &[
            (
                "Look at the cluster's DNS by what the API says",
                "kubectl dnscheck status",
            ),
            ("As JSON, for a pipeline", "kubectl dnscheck status -o json"),
        ],
    ),
    (
        "resolve",
        &[
            ("Ask for names of every kind", "kubectl dnscheck resolve"),
            (
                "Ask for a Service of another namespace",
                "kubectl dnscheck resolve db.shop",
            ),
            (
                "Ask as Alpine's resolver does, from one node",
                "kubectl dnscheck resolve db.shop --libc musl --node node-001",
            ),
        ],
    ),
    (
        "upstream",
        &[(
            "Ask the servers behind CoreDNS, from its nodes",
            "kubectl dnscheck upstream",
        )],
    ),
    (
        "latency",
        &[
            (
                "Ask 100 questions a second for 10 seconds",
                "kubectl dnscheck latency",
            ),
            (
                "More, and for longer",
                "kubectl dnscheck latency --rate 500 --duration 1m",
            ),
        ],
    ),
    (
        "watch",
        &[
            (
                "Print a line for whatever changes within five minutes",
                "kubectl dnscheck watch",
            ),
            (
                "Every 5 seconds for an hour",
                "kubectl dnscheck watch --interval 5s --duration 1h",
            ),
        ],
    ),
    (
        "corefile",
        &[
            (
                "Look at the one that the cluster's DNS pods mount",
                "kubectl dnscheck corefile",
            ),
            (
                "Look at a file; a ConfigMap as YAML or JSON will do too",
                "kubectl dnscheck corefile Corefile",
            ),
            (
                "Look at standard input, for another version of CoreDNS",
                "cat Corefile | kubectl dnscheck corefile - --coredns-version 1.11.3",
            ),
        ],
    ),
    (
        "pod",
        &[
            (
                "Say what a pod finds in its resolv.conf",
                "kubectl dnscheck pod web-0 -n shop",
            ),
            (
                "And which names it asks for to find db",
                "kubectl dnscheck pod web-0 db -n shop",
            ),
        ],
    ),
    (
        "logs",
        &[(
            "Say what the lines in the logs of DNS pods mean",
            "kubectl dnscheck logs",
        )],
    ),
    (
        "metrics",
        &[("Read what the DNS pods count", "kubectl dnscheck metrics -o wide")],
    ),
    (
        "scale",
        &[("Say whether there are enough DNS pods", "kubectl dnscheck scale")],
    ),
];
