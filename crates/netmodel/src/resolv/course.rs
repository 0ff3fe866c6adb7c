//! The course of one lookup.

use std::fmt;
use std::net::IpAddr;

use super::ResolvConf;

/// Whose resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Libc {
    /// Debian, Ubuntu, Red Hat, distroless, …
    Glibc,
    /// Alpine.
    Musl,
}

impl fmt::Display for Libc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Glibc => "glibc",
            Self::Musl => "musl",
        })
    }
}

/// What comes back for one full name, over all of its record types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Records.
    Found,
    /// NOERROR without a record.
    NoData,
    /// NXDOMAIN.
    NoSuchName,
    /// SERVFAIL.
    ServerFailure,
    /// Nothing, or a refusal.
    Silence,
}

/// One full name that is asked for, once for each record type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// With its final dot.
    pub name: String,
    /// What came of it.
    pub answer: Answer,
    /// Who is asked at first: glibc asks the first nameserver, and the others only where it fails; musl asks all at once, and takes the
    /// first answer that says yes or no.
    pub servers: Vec<IpAddr>,
}

/// What a program gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The addresses of this name, by its index in [`Course::asked`].
    Found(usize),
    /// There is no such name, or it has no address.
    NotFound,
    /// `EAI_AGAIN`, "temporary failure in name resolution".
    TryAgain,
}

/// A lookup from its first question to what the program gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// The names, in the order in which they are asked for; all but the last in vain.
    pub asked: Vec<Asked>,
    /// The end.
    pub outcome: Outcome,
}

impl Course {
    /// How many packets with a question that is, where nothing is lost and each name is asked for in so many families (2 for A and AAAA).
    pub fn queries(&self, families: usize) -> usize {
        let servers = self.asked.iter().map(|asked| asked.servers.len().max(1));
        servers.sum::<usize>() * families
    }
}

/// The full names that a resolver tries for a name, in its order, each with a final dot: up to the first that is found.
pub fn candidates(conf: &ResolvConf, libc: Libc, name: &str) -> Vec<String> {
    let plain = name.strip_suffix('.').unwrap_or(name);
    let as_it_is = format!("{plain}.");
    if plain.len() != name.len() {
        return vec![as_it_is];
    }
    let dots = plain.bytes().filter(|byte| *byte == b'.').count();
    let is_enough = u32::try_from(dots).is_ok_and(|dots| dots >= conf.options.ndots);
    // A domain that is the root adds nothing, and is the name as it is.
    let searched = conf.search_used(libc).iter().map(|domain| {
        let domain = domain.trim_end_matches('.');
        if domain.is_empty() {
            as_it_is.clone()
        } else {
            format!("{plain}.{domain}.")
        }
    });
    let mut names = match (libc, is_enough) {
        // res_nsearch tries the name as it is first, and the domains after it.
        (Libc::Glibc, true) => std::iter::once(as_it_is.clone()).chain(searched).collect(),
        // name_from_dns_search leaves the domains alone.
        (Libc::Musl, true) => vec![as_it_is.clone()],
        (_, false) => searched.collect::<Vec<_>>(),
    };
    if !names.contains(&as_it_is) {
        names.push(as_it_is);
    }
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

/// Looks a name up. `ask` says what comes back for a full name.
pub fn lookup(conf: &ResolvConf, libc: Libc, name: &str, mut ask: impl FnMut(&str) -> Answer) -> Course {
    let servers = match libc {
        Libc::Glibc => &conf.nameservers_used()[..conf.nameservers.len().min(1)],
        Libc::Musl => conf.nameservers_used(),
    };
    let mut asked: Vec<Asked> = Vec::new();
    let mut failed = false;
    for name in candidates(conf, libc, name) {
        let answer = ask(&name);
        asked.push(Asked {
            name,
            answer,
            servers: servers.to_vec(),
        });
        let at = asked.len() - 1;
        let end = match (libc, answer) {
            (_, Answer::Found) => Some(Outcome::Found(at)),
            // glibc asks on after NODATA and SERVFAIL, and musl does not: only NXDOMAIN leads to the next domain.
            (Libc::Musl, Answer::NoData) => Some(Outcome::NotFound),
            (Libc::Musl, Answer::ServerFailure) | (_, Answer::Silence) => Some(Outcome::TryAgain),
            (Libc::Glibc, Answer::ServerFailure) => {
                failed = true;
                None
            }
            (Libc::Glibc, Answer::NoData) | (_, Answer::NoSuchName) => None,
        };
        if let Some(outcome) = end {
            return Course { asked, outcome };
        }
    }
    let outcome = if failed {
        Outcome::TryAgain
    } else {
        Outcome::NotFound
    };
    Course { asked, outcome }
}

/// How many questions a name costs until it is found at `found`, a full name, where the domains before it know nothing of it. `None`
/// when it is never asked for: then it is not found.
pub fn queries(conf: &ResolvConf, libc: Libc, name: &str, found: &str, families: usize) -> Option<usize> {
    let full = format!("{}.", found.strip_suffix('.').unwrap_or(found));
    let course = lookup(conf, libc, name, |asked| {
        if asked.eq_ignore_ascii_case(&full) {
            Answer::Found
        } else {
            Answer::NoSuchName
        }
    });
    matches!(course.outcome, Outcome::Found(_)).then(|| course.queries(families))
}
