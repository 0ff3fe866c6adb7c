//! Examples of the commands that several plugins have.

use plugin::Examples;

/// Their examples, for each plugin that has the command.
pub const EXAMPLES: &[Examples] = &[
    (
        "cleanup",
        &[
            (
                "See what runs left that were killed",
                "kubectl PLUGIN cleanup --dry-run",
            ),
            ("Remove it", "kubectl PLUGIN cleanup"),
        ],
    ),
    (
        "checks",
        &[
            ("List the checks", "kubectl PLUGIN checks"),
            (
                "Say what is behind an id of a report",
                "kubectl PLUGIN checks net-mtu",
            ),
        ],
    ),
    (
        "explain",
        &[
            (
                "Say what an error of an application means",
                "kubectl PLUGIN explain 'dial tcp: lookup db on 10.96.0.10:53: i/o timeout'",
            ),
            (
                "Read what events say",
                "kubectl get events -A | kubectl PLUGIN explain -",
            ),
            ("Read a log", "kubectl PLUGIN explain -f app.log"),
        ],
    ),
];
