//! Words: flags, names, and what cannot be understood.

use super::{Case, alike, lines, said, same};

/// Pods of shop, and the Services of shop that have a problem.
const PODS: &str = "kubectl get pods -o name {}";
const SCAN: &str = "kubectl epcheck scan -o name {}";

pub(super) const FLAGS: &[Case] = &[
    same(
        "Flags",
        "spellings of a namespace; the last of several wins",
        (PODS, SCAN),
        &[
            "-n shop",
            "-nshop",
            "-n=shop",
            "--namespace shop",
            "--namespace=shop",
            "-n evil -n shop",
            "--context shopping",
            "--context=shopping --namespace=",
            "--context main --context shopping",
        ],
    ),
    alike(
        "Flags",
        "flags before and after names",
        (
            "kubectl get {} -o name",
            &[
                "-n shop service web",
                "service -n shop web",
                "service web -n shop",
            ],
        ),
        (
            "kubectl epcheck {}",
            &[
                "-n shop svc --static -o name db",
                "svc -n shop --static db -o name",
                "svc db --static -n shop -o name",
                "svc --static -o name --namespace shop -- db",
            ],
        ),
    ),
    same(
        "Flags",
        "all namespaces beat one",
        (PODS, SCAN),
        &[
            "-A",
            "-A=true",
            "-A=1",
            "-A=T",
            "--all-namespaces",
            "--all_namespaces",
            "-A -n shop",
            "-n shop -A",
            "-A=false -A",
        ],
    ),
    same(
        "Flags",
        "a switch that is turned off",
        (PODS, SCAN),
        &[
            "-n shop",
            "-n shop -A=false",
            "-n shop --all-namespaces=0",
            "-n shop -A -A=F",
        ],
    ),
    same(
        "Flags",
        "an empty value is a flag that was not given",
        (PODS, SCAN),
        &[
            "-n shop",
            "-n shop --context ''",
            "-n shop --context=",
            "-n shop --user= --cluster=",
            "-n shop --request-timeout=0",
            "-n shop -l ''",
        ],
    ),
    same(
        "Flags",
        "`_` in a flag's name is `-`",
        (PODS, SCAN),
        &[
            "-n shop --request-timeout=5s",
            "-n shop --request_timeout=5s",
            "-n shop --request_timeout 5",
        ],
    ),
    same(
        "Flags",
        "names of formats in capitals; the last format wins",
        ("kubectl get pods -n shop {}", "kubectl epcheck scan -n shop {}"),
        &[
            "-o name",
            "-oname",
            "-o=name",
            "--output name",
            "-o NAME",
            "-o json -o name",
        ],
    ),
    same(
        "Flags",
        "a log level is a number, in every spelling",
        (PODS, SCAN),
        &[
            "-n shop",
            "-n shop -v=0",
            "-n shop -v 0",
            "-n shop -v0",
            "-n shop --v=0",
            "-n shop --v 1",
        ],
    ),
];

pub(super) const MISTAKES: &[Case] = &[
    said(
        "Mistakes",
        "a flag that does not exist",
        ("get", "--bogus"),
        ("netcheck pod-to-pod", "--bogus"),
    ),
    said(
        "Mistakes",
        "a flag of one letter that does not exist",
        ("get", "-Z"),
        ("netcheck pod-to-pod", "-Z"),
    ),
    said(
        "Mistakes",
        "a flag without its value",
        ("get", "pods --namespace"),
        ("epcheck scan", "--namespace"),
    ),
    said(
        "Mistakes",
        "a flag of one letter without its value",
        ("get", "pods -n"),
        ("epcheck scan", "-n"),
    ),
    said(
        "Mistakes",
        "a format without its name",
        ("get", "pods -o"),
        ("epcheck scan", "-o"),
    ),
    said(
        "Mistakes",
        "a limit of time that is none",
        ("get", "pods --request-timeout=x"),
        ("epcheck scan", "--request-timeout=x"),
    ),
    said(
        "Mistakes",
        "a word too many",
        ("api-resources", "extra"),
        ("netcheck pod-to-pod", "extra"),
    ),
    // The formats are each program's own.
    lines(
        "Mistakes",
        "a format that does not exist",
        "kubectl get pods -n shop -o bogus 2>&1 | sed 's/are: .*/are: …/'",
        "kubectl epcheck scan -n shop -o bogus 2>&1 | sed 's/are: .*/are: …/'",
    ),
    said(
        "Mistakes",
        "a switch with a wrong value",
        ("get", "pods -A=maybe"),
        ("epcheck scan", "-A=maybe"),
    )
    .but("says what is wrong instead of naming a function of Go"),
    said(
        "Mistakes",
        "a number that is none",
        ("get", "pods -v=x"),
        ("epcheck scan", "-v=x"),
    )
    .but("says what is wrong instead of naming a function of Go"),
    said(
        "Mistakes",
        "a switch takes no word of its own",
        ("get", "pods -A true"),
        ("epcheck scan", "-A true"),
    )
    .but("kubectl takes the word for a name; scan takes no names"),
    said(
        "Mistakes",
        "a command that does not exist",
        ("", "netchek"),
        ("netcheck", "pod-to-pot"),
    )
    .but("the sentence is kubectl's; ours also says how to get help"),
    said(
        "Mistakes",
        "a kubeconfig that does not exist",
        ("get", "pods --kubeconfig /nope"),
        ("epcheck scan", "--kubeconfig /nope"),
    ),
    said(
        "Mistakes",
        "a context that does not exist",
        ("version", "--context nope"),
        ("epcheck scan", "--context nope"),
    ),
    said(
        "Mistakes",
        "a server that does not answer",
        ("get", "pods --context broken"),
        ("epcheck scan", "--context broken"),
    ),
];

pub(super) const NAMES: &[Case] = &[
    said(
        "Names",
        "two slashes",
        ("get", "pod/x/y"),
        ("epcheck svc", "svc/x/y"),
    ),
    said(
        "Names",
        "nothing behind the slash",
        ("get", "pod/"),
        ("epcheck svc", "svc/"),
    ),
    said(
        "Names",
        "nothing before the slash",
        ("get", "/x"),
        ("epcheck svc", "/x"),
    ),
    said(
        "Names",
        "a type twice",
        ("get", "service svc/web"),
        ("epcheck svc", "service svc/web"),
    ),
    said(
        "Names",
        "a name that is empty",
        ("get", "service ''"),
        ("epcheck svc", "''"),
    ),
    said(
        "Names",
        "a pod that does not exist",
        ("get", "pod nope -n shop"),
        ("dnscheck pod", "nope -n shop"),
    ),
    said(
        "Names",
        "a Service that does not exist",
        ("get", "service nope -n shop"),
        ("epcheck svc", "nope -n shop --static"),
    )
    .but("a finding with its evidence, and so exit status 1"),
    said(
        "Names",
        "a name and all namespaces",
        ("get", "pods web-0 -A"),
        ("epcheck watch", "web -A"),
    ),
    alike(
        "Names",
        "spellings of a type",
        (
            "kubectl get -n shop -o name {}",
            &[
                "service/web",
                "services/web",
                "svc/web",
                "service web",
                "services web",
                "svc web",
            ],
        ),
        (
            "kubectl epcheck svc -n shop --static -o name {}",
            &[
                "service/db",
                "services/db",
                "svc/db",
                "service db",
                "services db",
                "svc db",
                "db",
                "db.shop",
            ],
        ),
    ),
    alike(
        "Names",
        "spellings of a pod",
        (
            "kubectl get -n shop -o name {}",
            &["pod/web-0", "pods/web-0", "po/web-0", "pod web-0"],
        ),
        (
            "kubectl dnscheck pod -n shop {}",
            &["pod/web-0", "pods/web-0", "po/web-0", "web-0"],
        ),
    ),
];
