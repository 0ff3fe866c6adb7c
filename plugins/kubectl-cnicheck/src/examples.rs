//! Examples of each command, as `--help` shows them.

use plugin::Examples;

pub(crate) const EXAMPLES: &[Examples] = &[
    (
        "",
        &[
            (
                "Find out whether the pod network is built right on every node",
                "kubectl cnicheck",
            ),
            ("In the first minutes of an outage", "kubectl cnicheck triage"),
        ],
    ),
    (
        "diagnose",
        &[
            ("Look at everything that applies", "kubectl cnicheck diagnose"),
            (
                "Also read the CNI's files on the nodes and the networks of the pods there",
                "kubectl cnicheck diagnose --node-access",
            ),
        ],
    ),
    (
        "detect",
        &[("Say which CNI the cluster runs", "kubectl cnicheck detect")],
    ),
    (
        "status",
        &[
            ("Look at the CNI by what the API says", "kubectl cnicheck status"),
            ("As JSON, for a pipeline", "kubectl cnicheck status -o json"),
        ],
    ),
    (
        "config",
        &[(
            "Say which configuration is in force on each node",
            "kubectl cnicheck config --node-access",
        )],
    ),
    (
        "ipam",
        &[
            (
                "Say how many addresses nodes have left, by what the API says",
                "kubectl cnicheck ipam",
            ),
            (
                "Find addresses that are held for pods that are gone",
                "kubectl cnicheck ipam --node-access",
            ),
        ],
    ),
    (
        "overlay",
        &[(
            "Look at the tunnel and the routes between nodes, and try every pair",
            "kubectl cnicheck overlay",
        )],
    ),
    (
        "bgp",
        &[(
            "Look at sessions and the routes that they bring",
            "kubectl cnicheck bgp --node-access",
        )],
    ),
    (
        "cidr",
        &[(
            "See whether the ranges of pods, Services and nodes overlap",
            "kubectl cnicheck cidr",
        )],
    ),
    (
        "mtu",
        &[(
            "Compare what links carry with what gets through",
            "kubectl cnicheck mtu",
        )],
    ),
    (
        "node",
        &[
            (
                "Read the CNI's devices and routes of all nodes",
                "kubectl cnicheck node",
            ),
            (
                "Read everything of one node",
                "kubectl cnicheck node --node node-001 --node-access",
            ),
        ],
    ),
    (
        "logs",
        &[(
            "Say what the lines in the CNI's logs and in events mean",
            "kubectl cnicheck logs",
        )],
    ),
    (
        "triage",
        &[(
            "Name what is worst, and what to restore first",
            "kubectl cnicheck triage",
        )],
    ),
];
