//! What the kernel and the components of a node say of themselves.

use std::collections::{BTreeMap, BTreeSet};

use netprobe::ReadOutcome;
use observation::{Connections, HttpAnswer, KernelReads, Question};
use report::Observed;

use super::{Answers, id};

pub(super) fn reads(answers: &Answers<'_>) -> KernelReads {
    KernelReads {
        release: release(answers),
        modules: one(answers, id::MODULES, "kernel modules").map(|text| text.as_deref().map(modules)),
        connections: connections(answers),
        send_checksums: send_checksums(answers),
        speeds: speeds(answers),
        ipvs: one(answers, id::IPVS, "IPVS"),
        answers: (id::QUESTIONS..)
            .zip(Question::ALL)
            .map(|(id, question)| {
                let url = question.url();
                let answer = asked(answers, id, &url);
                (url, answer)
            })
            .collect(),
    }
}

/// The text of a file that may not exist.
fn one(answers: &Answers<'_>, id: u32, what: &str) -> Observed<Option<String>> {
    match answers.texts(id, 1, what) {
        Observed::Seen(files) => match files.into_values().next() {
            None => Observed::Seen(None),
            Some(Observed::Seen(text)) => Observed::Seen(Some(text)),
            Some(Observed::Unseen(gap)) => Observed::Unseen(gap),
        },
        Observed::Unseen(gap) => Observed::Unseen(gap),
    }
}

fn release(answers: &Answers<'_>) -> Observed<String> {
    match one(answers, id::RELEASE, "kernel release") {
        Observed::Seen(Some(text)) => Observed::Seen(text.trim().to_owned()),
        Observed::Seen(None) => Observed::Unseen(answers.gap("kernel release", "the kernel does not say")),
        Observed::Unseen(gap) => Observed::Unseen(gap),
    }
}

fn modules(text: &str) -> BTreeSet<String> {
    let names = text.lines().filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

fn connections(answers: &Answers<'_>) -> Observed<Connections> {
    let what = "tracked connections";
    match answers.outcome(id::CONNECTIONS, what) {
        Observed::Seen(ReadOutcome::Connections { by_state, more, .. }) => Observed::Seen(Connections {
            by_state: by_state.clone(),
            more: *more,
        }),
        Observed::Seen(ReadOutcome::Absent) => {
            Observed::Unseen(answers.gap(what, "the kernel does not list them in /proc/net/nf_conntrack"))
        }
        Observed::Seen(_) => Observed::Unseen(answers.gap(what, "another answer than a count")),
        Observed::Unseen(gap) => Observed::Unseen(gap),
    }
}

fn send_checksums(answers: &Answers<'_>) -> Observed<BTreeMap<String, bool>> {
    let what = "offloads of devices";
    match answers.outcome(id::SEND_CHECKSUMS, what) {
        Observed::Seen(ReadOutcome::SendChecksums { by_device }) => Observed::Seen(by_device.clone()),
        Observed::Seen(_) => Observed::Unseen(answers.gap(what, "another answer than offloads")),
        Observed::Unseen(gap) => Observed::Unseen(gap),
    }
}

/// Devices without a speed refuse to be read, or say -1.
fn speeds(answers: &Answers<'_>) -> Observed<BTreeMap<String, u64>> {
    answers.texts(id::SPEEDS, 1, "speeds of devices").map(|files| {
        let speeds = files.into_iter().filter_map(|(path, text)| {
            let device = path.rsplit('/').nth(1)?;
            let speed: u64 = text.seen()?.trim().parse().ok()?;
            (speed > 0 && speed < u64::from(u32::MAX)).then(|| (device.to_owned(), speed))
        });
        speeds.collect()
    })
}

/// What became of a question to a web server of the node.
pub(super) fn asked(answers: &Answers<'_>, id: u32, url: &str) -> HttpAnswer {
    match answers.outcome(id, url) {
        Observed::Seen(ReadOutcome::Http {
            status,
            body,
            took_ms,
        }) => HttpAnswer::Answered {
            status: *status,
            body: body.clone(),
            took_ms: *took_ms,
        },
        Observed::Seen(ReadOutcome::NoAnswer { refused: true, .. }) => HttpAnswer::Refused,
        Observed::Seen(ReadOutcome::NoAnswer {
            refused: false,
            after_ms,
            message,
        }) => HttpAnswer::Silent {
            after_ms: *after_ms,
            message: message.clone(),
        },
        Observed::Seen(_) => HttpAnswer::Unasked(answers.gap(url, "another answer than one of a web server")),
        Observed::Unseen(gap) => HttpAnswer::Unasked(gap),
    }
}
