//! All that the plugins are to decide, and how much of it is decided: one row for each id.
//!
//! Ids are promised here before the check behind them exists, so that reports, documentation and tests never disagree on
//! a name. Whether an id is decided is never written down: it follows from the tables of what decides.

mod alert;
mod cni;
mod dns;
mod document;
mod ep;
mod net;

pub use document::document;

use crate::check::CHECKS;

/// One id, and what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Stable and kebab-case; its first part is that of the plugin. Never used again for something else.
    pub id: &'static str,
    /// What is decided, as a clause.
    pub title: &'static str,
    otherwise: Otherwise,
}

/// What is so where no table decides an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Otherwise {
    /// Nothing: a table has to decide it.
    Made,
    /// Nobody decides it yet, for this reason.
    Wanted(&'static str),
    /// It is a rule that the program keeps, not a claim about a cluster; kept here.
    Held(&'static str),
    /// It is the meaning of error texts: their table has to explain it.
    Text,
    /// It is about alert rules: the table of lints has to decide it.
    Lint,
}

/// How far an id has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A check of [`CHECKS`] decides it.
    Check,
    /// `kubectl netcheck explain` says what its error texts mean.
    Text,
    /// `kubectl netcheck alerts lint` decides it.
    Lint,
    /// It is a rule that every report keeps, and this keeps it.
    Held(&'static str),
    /// Nothing decides it yet, and this is why.
    NotYet(&'static str),
}

impl Row {
    /// How far it has come, by the tables of what decides; `None` when neither a table nor a reason accounts for it.
    pub fn status(&self) -> Option<Status> {
        if CHECKS.iter().any(|check| check.id == self.id) {
            return Some(Status::Check);
        }
        match self.otherwise {
            Otherwise::Made => None,
            Otherwise::Wanted(reason) => Some(Status::NotYet(reason)),
            Otherwise::Held(by) => Some(Status::Held(by)),
            Otherwise::Text => errortext::texts()
                .any(|text| text.check == self.id)
                .then_some(Status::Text),
            Otherwise::Lint => alerts::LINTS
                .iter()
                .any(|lint| lint.id == self.id)
                .then_some(Status::Lint),
        }
    }

    /// The command whose question this is, as it is typed.
    pub fn command(&self) -> &'static str {
        match self.id.split_once('-').map_or("", |(family, _)| family) {
            "dns" => "kubectl dnscheck",
            "ep" => "kubectl epcheck",
            "cni" => "kubectl cnicheck",
            "alert" => "kubectl netcheck alerts",
            _ => "kubectl netcheck",
        }
    }
}

/// Every id, in the order in which the plugins and their layers are read.
pub fn coverage() -> impl Iterator<Item = &'static Row> {
    [net::ROWS, dns::ROWS, ep::ROWS, cni::ROWS, alert::ROWS]
        .into_iter()
        .flatten()
}

/// The row of an id.
pub fn row(id: &str) -> Option<&'static Row> {
    coverage().find(|row| row.id == id)
}

const fn made(id: &'static str, title: &'static str) -> Row {
    Row {
        id,
        title,
        otherwise: Otherwise::Made,
    }
}

const fn wanted(id: &'static str, title: &'static str, why_not_yet: &'static str) -> Row {
    Row {
        id,
        title,
        otherwise: Otherwise::Wanted(why_not_yet),
    }
}

const fn held(id: &'static str, title: &'static str, by: &'static str) -> Row {
    Row {
        id,
        title,
        otherwise: Otherwise::Held(by),
    }
}

const fn text(id: &'static str, title: &'static str) -> Row {
    Row {
        id,
        title,
        otherwise: Otherwise::Text,
    }
}

const fn lint(id: &'static str, title: &'static str) -> Row {
    Row {
        id,
        title,
        otherwise: Otherwise::Lint,
    }
}

#[cfg(test)]
mod tests;
