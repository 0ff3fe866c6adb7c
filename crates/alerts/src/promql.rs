//! `PromQL`, as far as lints need it: the whole grammar of expressions, without evaluating anything.
//!
//! Written here because lints need little of it, and the parsers that exist bring a parser generator with them.

mod functions;
mod parse;
mod selector;
mod token;

pub(crate) use parse::parse;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    Number(f64),
    Text(String),
    Selector(Selector),
    /// `expression[5m:1m]`: the range in seconds.
    Subquery {
        inner: Box<Expr>,
        range: f64,
    },
    /// The sign is of no interest.
    Signed(Box<Expr>),
    Binary(Box<Binary>),
    Call {
        function: String,
        arguments: Vec<Expr>,
    },
    Aggregate {
        operator: String,
        grouping: Grouping,
        arguments: Vec<Expr>,
    },
}

/// `metric{label="value"}[5m]`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Selector {
    /// The name, also where it is given as `__name__="…"`.
    pub(crate) metric: Option<String>,
    pub(crate) matchers: Vec<Matcher>,
    /// In seconds.
    pub(crate) range: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matcher {
    pub(crate) label: String,
    pub(crate) operator: MatchOperator,
    pub(crate) value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MatchOperator {
    Equal,
    NotEqual,
    Matches,
    MatchesNot,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Binary {
    /// In lower case: `and`, `==`, `+`.
    pub(crate) operator: String,
    pub(crate) left: Expr,
    pub(crate) right: Expr,
    pub(crate) matching: Matching,
}

/// Which labels two sides have to share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Matching {
    #[default]
    All,
    On(Vec<String>),
    Ignoring(Vec<String>),
}

/// Which labels are left after an aggregation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Grouping {
    #[default]
    None,
    By(Vec<String>),
    Without(Vec<String>),
}

impl Expr {
    /// Calls `see` with this expression and every one within it.
    pub(crate) fn walk<'a>(&'a self, see: &mut impl FnMut(&'a Expr)) {
        see(self);
        match self {
            Self::Number(_) | Self::Text(_) | Self::Selector(_) => {}
            Self::Subquery { inner, .. } | Self::Signed(inner) => inner.walk(see),
            Self::Binary(binary) => {
                binary.left.walk(see);
                binary.right.walk(see);
            }
            Self::Call { arguments, .. } | Self::Aggregate { arguments, .. } => {
                for argument in arguments {
                    argument.walk(see);
                }
            }
        }
    }

    /// Every selector in it.
    pub(crate) fn selectors(&self) -> Vec<&Selector> {
        let mut selectors = Vec::new();
        self.walk(&mut |expr| {
            if let Self::Selector(selector) = expr {
                selectors.push(selector);
            }
        });
        selectors
    }

    /// The longest range that it looks back over, in seconds.
    pub(crate) fn longest_range(&self) -> f64 {
        let mut longest: f64 = 0.0;
        self.walk(&mut |expr| match expr {
            Self::Selector(Selector {
                range: Some(range), ..
            })
            | Self::Subquery { range, .. } => {
                longest = longest.max(*range);
            }
            _ => {}
        });
        longest
    }
}

/// Why an expression is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at character {at}")]
pub(crate) struct SyntaxError {
    /// What is wrong, as a clause.
    pub(crate) what: String,
    /// Counted from 1.
    pub(crate) at: usize,
}

/// A duration as Prometheus writes it, `1h30m`, in seconds.
pub(crate) fn duration(text: &str) -> Option<f64> {
    let mut seconds = 0.0;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let amount: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        seconds += amount
            * match &rest[..letters] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                "w" => 604_800.0,
                "y" => 31_536_000.0,
                _ => return None,
            };
        rest = &rest[letters..];
    }
    Some(seconds)
}

#[cfg(test)]
mod tests;
