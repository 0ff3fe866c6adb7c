//! Results: exit statuses, what is printed where and how, and how a run ends.

use super::{Case, lines, ours};

pub(super) const ENDS: &[Case] = &[
    ours(
        "Exit status",
        "the same in every format, quiet or not: a problem found",
        "for o in text wide json yaml name junit; do kubectl epcheck scan -n shop -o $o >/dev/null 2>&1; echo -n \"$? \"; kubectl epcheck scan -n shop -o $o -q >/dev/null 2>&1; echo -n \"$? \"; done",
    ),
    ours(
        "Exit status",
        "the same in every format: nothing wrong",
        "for o in text wide json yaml name junit; do kubectl epcheck svc web -n shop --static -o $o >/dev/null 2>&1; echo -n \"$? \"; done",
    ),
    ours(
        "Exit status",
        "the same in every format: could not run",
        "for o in text wide json yaml name junit; do kubectl epcheck scan --context broken -o $o >/dev/null 2>&1; echo -n \"$? \"; done",
    ),
    ours(
        "Exit status",
        "a mistake in the line could not run either",
        "kubectl epcheck scan --bogus 2>/dev/null; echo $?",
    ),
    lines(
        "Exit status",
        "of a mistake",
        "kubectl get --bogus 2>/dev/null; echo $?",
        "kubectl epcheck --bogus 2>/dev/null; echo $?",
    )
    .but("1 means that a problem was found; like `kubectl diff`, what could not run ends with more than 1"),
    ours(
        "Exit status",
        "`--help` says what they mean",
        "kubectl netcheck diagnose --help | grep -c '^  [0-3]  '",
    ),
];

pub(super) const STREAMS: &[Case] = &[
    lines("Streams", "a warning of the server comes once, on stderr", "kubectl get services,services -n warned -o name 2>&1 >/dev/null | grep -c ^Warning", "kubectl epcheck scan -n warned -o name 2>&1 >/dev/null | grep -c ^Warning"),
    lines("Streams", "a warning on a terminal is yellow", "script -qec 'kubectl get pods -n warned -o name' /dev/null | grep -a Warning", "script -qec 'kubectl epcheck scan -n warned -o name -q' /dev/null | grep -a Warning"),
    lines("Streams", "a warning with NO_COLOR, even empty, has no colour", "NO_COLOR= script -qec 'kubectl get pods -n warned -o name' /dev/null | grep -a Warning", "NO_COLOR= script -qec 'kubectl epcheck scan -n warned -o name -q' /dev/null | grep -a Warning"),
    lines("Streams", "a warning on a dumb terminal has no colour", "TERM=dumb script -qec 'kubectl get pods -n warned -o name' /dev/null | grep -a Warning", "TERM=dumb script -qec 'kubectl epcheck scan -n warned -o name -q' /dev/null | grep -a Warning"),
    lines("Streams", "stderr decides by itself: a terminal beside a redirected stdout", "script -qec 'kubectl get pods -n warned -o name >/dev/null' /dev/null | grep -a Warning", "script -qec 'kubectl epcheck scan -n warned -o name -q >/dev/null' /dev/null | grep -a Warning"),
    lines("Streams", "stderr decides by itself: redirected beside a terminal", "script -qec 'kubectl get pods -n warned -o name 2>err' /dev/null >/dev/null; cat err", "script -qec 'kubectl epcheck scan -n warned -o name -q 2>err' /dev/null >/dev/null; cat err"),
    ours("Streams", "the report is coloured on a terminal, not in a pipe", "script -qec 'kubectl epcheck scan -n shop -q' /dev/null | grep -ac $'\\e'; kubectl epcheck scan -n shop | grep -c $'\\e'"),
    ours("Streams", "no colour with NO_COLOR (even empty), TERM=dumb, CLICOLOR=0, --color never", "for v in NO_COLOR= NO_COLOR=1 TERM=dumb CLICOLOR=0; do env $v script -qec 'kubectl epcheck scan -n shop -q' /dev/null | grep -ac $'\\e'; done; script -qec 'kubectl epcheck scan -n shop -q --color never' /dev/null | grep -ac $'\\e'"),
    ours("Streams", "colour in a pipe with CLICOLOR_FORCE and --color always, not with CLICOLOR_FORCE=0", "CLICOLOR_FORCE=1 kubectl epcheck scan -n shop | grep -q $'\\e' && echo forced; kubectl epcheck scan -n shop --color always | grep -q $'\\e' && echo always; CLICOLOR_FORCE=0 kubectl epcheck scan -n shop | grep -c $'\\e'"),
    ours("Streams", "machine formats are never coloured", "for o in json yaml name junit; do script -qec \"kubectl epcheck scan -n shop -q -o $o --color always\" /dev/null | grep -ac $'\\e'; done"),
    ours("Streams", "no progress where stderr is no terminal", "kubectl epcheck scan -n shop 2>&1 >/dev/null"),
    lines("Streams", "escape sequences in what the cluster says are made harmless", "kubectl get service evil -n evil -o json | grep -c $'\\e'", "kubectl epcheck scan -n evil | grep -c $'\\e'"),
    ours("Streams", "JSON and YAML are one document where a problem was found", "kubectl epcheck scan -n shop -o json 2>/dev/null | grep -c '\"kind\": \"Report\"'; kubectl epcheck scan -n shop -o yaml 2>/dev/null | grep -c '^kind: Report'"),
    lines("Streams", "JSON is one document where nothing could be asked", "kubectl get pods --context broken -o json 2>/dev/null | grep -o '\"kind\": \"[A-Za-z]*\"' | tail -1", "kubectl epcheck scan --context broken -o json 2>/dev/null | grep -o '\"kind\": \"[A-Za-z]*\"' | tail -1")
        .but("an empty list would look like an answer: the document says what failed"),
    ours("Streams", "YAML and a mistake in the line as well", "kubectl epcheck scan --context broken -o yaml 2>/dev/null | head -2 | tr '\\n' ' '; kubectl epcheck scan --bogus -o json 2>/dev/null | grep -o '\"kind\": \"[A-Za-z]*\"' | tail -1"),
];

pub(super) const SIGNALS: &[Case] = &[
    ours(
        "Pipes and signals",
        "a reader that goes away is no error",
        "kubectl netcheck checks | head -1 | cut -c1-2; echo ${PIPESTATUS[0]}; kubectl netcheck checks -o json | true; echo ${PIPESTATUS[0]}; kubectl netcheck --help | true; echo ${PIPESTATUS[0]}",
    ),
    lines(
        "Pipes and signals",
        "a closed stdout",
        "kubectl options >&-; echo $?",
        "kubectl netcheck checks >&-; echo $?",
    ),
    lines(
        "Pipes and signals",
        "Ctrl-C ends a watch with 130",
        "after INT kubectl get pods -n shop -w",
        "after INT kubectl epcheck watch -n shop",
    )
    .but("kubectl ends with 1 after each of them; shells and pipelines know 128 + the signal's number"),
    lines(
        "Pipes and signals",
        "SIGTERM ends it with 143",
        "after TERM kubectl get pods -n shop -w",
        "after TERM kubectl epcheck watch -n shop",
    )
    .but("kubectl ends with 1 after each of them; shells and pipelines know 128 + the signal's number"),
    lines(
        "Pipes and signals",
        "SIGHUP ends it with 129",
        "after HUP kubectl get pods -n shop -w",
        "after HUP kubectl epcheck watch -n shop",
    )
    .but("kubectl ends with 1 after each of them; shells and pipelines know 128 + the signal's number"),
    lines(
        "Pipes and signals",
        "SIGQUIT ends it",
        "after QUIT kubectl get pods -n shop -w",
        "after QUIT kubectl epcheck watch -n shop",
    )
    .but("kubectl dumps its stacks; ours cleans up and ends as shells count: 128 + 3"),
];
