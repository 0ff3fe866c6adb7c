use crate::rules::counters::Counters;
use crate::rules::words::Word;

/// One option of a rule with what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given<'a> {
    /// With its dashes.
    pub(super) name: &'a str,
    /// A `!` stands before it.
    pub(super) negated: bool,
    pub(super) values: Vec<&'a str>,
}

impl Given<'_> {
    pub(super) fn value(&self) -> Option<&str> {
        self.values.first().copied()
    }

    /// As it was printed, roughly: quotation marks are lost.
    pub(super) fn text(&self) -> String {
        let not = if self.negated { "! " } else { "" };
        let mut text = format!("{not}{}", self.name);
        for value in &self.values {
            text.push(' ');
            text.push_str(value);
        }
        text
    }
}

/// The options of one module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Module<'a> {
    pub(super) name: &'a str,
    pub(super) options: Vec<Given<'a>>,
}

impl Module<'_> {
    /// As it was printed, roughly.
    pub(super) fn text(&self) -> String {
        let mut text = format!("-m {}", self.name);
        for option in &self.options {
            text.push(' ');
            text.push_str(&option.text());
        }
        text
    }

    pub(super) fn option(&self, name: &str) -> Option<&Given<'_>> {
        self.options.iter().find(|option| option.name == name)
    }
}

/// The target of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    pub(super) name: &'a str,
    /// `-g`, not `-j`.
    pub(super) is_goto: bool,
    pub(super) options: Vec<Given<'a>>,
}

/// A rule by whom its options belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options<'a> {
    /// `-s`, `-d`, `-i`, `-o`, `-p`, `-f`.
    pub(super) basic: Vec<Given<'a>>,
    pub(super) modules: Vec<Module<'a>>,
    pub(super) target: Option<Target<'a>>,
    /// `-c`, as old versions print them.
    pub(super) counters: Option<Counters>,
}

impl Options<'_> {
    pub(super) fn comment(&self) -> Option<String> {
        let comment = self.modules.iter().find(|module| module.name == "comment")?;
        comment.option("--comment")?.value().map(str::to_owned)
    }
}

/// Groups the words of a rule. `None` when they are no rule.
pub(super) fn group(words: &[Word]) -> Option<Options<'_>> {
    let mut options = Options::default();
    let mut words = words.iter().peekable();
    let mut negated = false;
    while let Some(word) = words.next() {
        if is_not(word) {
            negated = true;
            continue;
        }
        if !is_option(word) {
            return None;
        }
        let mut given = Given {
            name: &word.text,
            negated: std::mem::take(&mut negated),
            values: Vec::new(),
        };
        while let Some(next) = words.peek() {
            if is_option(next) {
                break;
            }
            if is_not(next) {
                // Either it negates the next option or, in old texts, the value of this one.
                let mut ahead = words.clone();
                ahead.next();
                if ahead.peek().is_none_or(|after| is_option(after)) {
                    break;
                }
                given.negated = true;
            } else {
                given.values.push(&next.text);
            }
            words.next();
        }
        place(&mut options, given)?;
    }
    Some(options)
}

fn place<'a>(options: &mut Options<'a>, given: Given<'a>) -> Option<()> {
    match given.name {
        "-m" | "--match" => options.modules.push(Module {
            name: given.values.first()?,
            options: Vec::new(),
        }),
        "-j" | "-g" | "--jump" | "--goto" => {
            options.target = Some(Target {
                name: given.values.first()?,
                is_goto: matches!(given.name, "-g" | "--goto"),
                options: Vec::new(),
            });
        }
        "-c" => {
            let [packets, bytes] = given.values.as_slice() else {
                return None;
            };
            options.counters = Some(Counters {
                packets: packets.parse().ok()?,
                bytes: bytes.parse().ok()?,
            });
        }
        name if !name.starts_with("--") => options.basic.push(given),
        _ => match (&mut options.target, options.modules.last_mut()) {
            (Some(target), _) => target.options.push(given),
            (None, Some(module)) => module.options.push(given),
            // A module that was not named: that of the protocol.
            (None, None) => options.modules.push(Module {
                name: "",
                options: vec![given],
            }),
        },
    }
    Some(())
}

fn is_not(word: &Word) -> bool {
    !word.is_quoted && word.text == "!"
}

fn is_option(word: &Word) -> bool {
    let mut chars = word.text.chars();
    !word.is_quoted
        && chars.next() == Some('-')
        && chars
            .next()
            .is_some_and(|second| second == '-' || second.is_ascii_alphabetic())
}
