//! What is typed, with kubectl and with the plugins.

mod results;
mod words;

/// One row of the table.
pub(crate) struct Case {
    pub(crate) area: &'static str,
    pub(crate) what: &'static str,
    pub(crate) proof: Proof,
    /// Why the two differ; `None` where they must not.
    pub(crate) on_purpose: Option<&'static str>,
}

/// How a row is shown.
pub(crate) enum Proof {
    /// What both lines print, and whether they succeed, are compared, with the command's own words taken out.
    Said {
        theirs: (&'static str, &'static str),
        ours: (&'static str, &'static str),
    },
    /// All spellings of a line do the same, with kubectl and with us. `{}` is where they stand.
    Alike {
        theirs: (&'static str, &'static [&'static str]),
        ours: (&'static str, &'static [&'static str]),
    },
    /// Both lines are run as they are, and what they print is compared.
    Lines {
        theirs: &'static str,
        ours: &'static str,
    },
    /// kubectl has nothing to compare with.
    Ours(&'static str),
}

const fn said(
    area: &'static str,
    what: &'static str,
    theirs: (&'static str, &'static str),
    ours: (&'static str, &'static str),
) -> Case {
    Case {
        area,
        what,
        proof: Proof::Said { theirs, ours },
        on_purpose: None,
    }
}

const fn lines(area: &'static str, what: &'static str, theirs: &'static str, ours: &'static str) -> Case {
    Case {
        area,
        what,
        proof: Proof::Lines { theirs, ours },
        on_purpose: None,
    }
}

const fn ours(area: &'static str, what: &'static str, line: &'static str) -> Case {
    Case {
        area,
        what,
        proof: Proof::Ours(line),
        on_purpose: None,
    }
}

const fn alike(
    area: &'static str,
    what: &'static str,
    theirs: (&'static str, &'static [&'static str]),
    ours: (&'static str, &'static [&'static str]),
) -> Case {
    Case {
        area,
        what,
        proof: Proof::Alike { theirs, ours },
        on_purpose: None,
    }
}

/// The same words behind kubectl's command and behind ours.
const fn same(
    area: &'static str,
    what: &'static str,
    (theirs, ours): (&'static str, &'static str),
    words: &'static [&'static str],
) -> Case {
    alike(area, what, (theirs, words), (ours, words))
}

impl Case {
    const fn but(mut self, why: &'static str) -> Self {
        self.on_purpose = Some(why);
        self
    }
}

/// All of them, area by area.
pub(crate) const CASES: &[&[Case]] = &[
    DISPATCH,
    words::FLAGS,
    words::MISTAKES,
    words::NAMES,
    results::ENDS,
    results::STREAMS,
    results::SIGNALS,
];

const DISPATCH: &[Case] = &[
    ours(
        "Dispatch",
        "kubectl lists the plugins and warns of nothing",
        "kubectl plugin list 2>&1 | sed 's|.*/||' | tr '\\n' ' '",
    ),
    ours(
        "Dispatch",
        "flags before the plugin's name are kubectl's to refuse",
        "kubectl --context main netcheck checks 2>&1",
    ),
    ours(
        "Dispatch",
        "help is `--help`, because `kubectl help` knows no plugins",
        "kubectl help netcheck 2>&1 | head -1; kubectl netcheck --help | grep ^Usage",
    ),
    ours(
        "Dispatch",
        "`-h` is `--help` in short",
        "kubectl netcheck path -h | grep ^Usage",
    ),
    ours(
        "Dispatch",
        "usage names the command as it is typed after kubectl, also where the file is run directly",
        "kubectl epcheck svc --help | grep ^Usage; kubectl-epcheck svc --help | grep ^Usage",
    ),
    ours(
        "Dispatch",
        "the exit status passes through kubectl",
        "kubectl netcheck explain gibberish >/dev/null; echo $?",
    ),
    ours(
        "Dispatch",
        "`--` ends flags and passes through kubectl",
        "kubectl netcheck explain -- --bogus i/o timeout | head -1",
    ),
    ours(
        "Dispatch",
        "every plugin says its version",
        "for p in netcheck epcheck dnscheck cnicheck; do kubectl $p --version; done | tr '\\n' ' '",
    ),
    ours(
        "Dispatch",
        "environment and standard input pass through",
        "echo 'dial tcp 10.0.0.1:53: i/o timeout' | kubectl netcheck explain - -o name | head -1",
    ),
];
