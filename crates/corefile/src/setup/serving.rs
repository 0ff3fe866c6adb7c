//! Plugins that answer from files and other servers.

use super::rows::expression;
use crate::Refusal;
use crate::stanza::{Checked, Stanza};
use crate::value::{self, SECOND};

pub(super) fn hosts(stanza: &mut Stanza<'_>) -> Checked {
    let mut seen = false;
    while stanza.next() {
        if std::mem::replace(&mut seen, true) {
            return Err(stanza.twice());
        }
        let args = stanza.args();
        stanza.origins(args.get(1..).unwrap_or_default())?;
        let mut falls = false;
        while let Some(property) = stanza.property()? {
            match property {
                "fallthrough" => falls |= fallthrough(stanza),
                "no_reverse" => {}
                "ttl" => {
                    let args = stanza.some("seconds from 1 to 65535")?;
                    if !(1..=65535).contains(&stanza.integer(args[0])?) {
                        return Err(stanza.bad(args[0], "seconds from 1 to 65535"));
                    }
                }
                "reload" => {
                    let word = stanza.one("a duration, 0 for never")?;
                    if stanza.duration(word)? < 0 {
                        return Err(stanza.bad(word, "a duration, 0 for never"));
                    }
                }
                // An entry as in /etc/hosts. They have to stand before `fallthrough`.
                _ if !falls => {
                    stanza.args();
                }
                entry if value::ip(entry).is_some() => {
                    return Err(stanza.refuse(
                        "entries of hosts have to stand before `fallthrough`",
                        "move `fallthrough` to the end of the block",
                    ));
                }
                _ => return Err(stanza.unknown_property()),
            }
        }
    }
    Ok(())
}

/// Reads the zones of `fallthrough`; whether any is left: those that are no names are passed over.
fn fallthrough(stanza: &mut Stanza<'_>) -> bool {
    let zones = stanza.args();
    zones.is_empty()
        || zones
            .iter()
            .any(|zone| !crate::address::normal_zones(zone).is_empty())
}

pub(super) fn file(stanza: &mut Stanza<'_>) -> Checked {
    while stanza.next() {
        stanza.required("a file")?;
        let zones = stanza.args();
        stanza.origins(&zones)?;
        while let Some(property) = stanza.property()? {
            match property {
                "fallthrough" | "upstream" => {
                    stanza.args();
                }
                "reload" => {
                    let args = stanza.some("a duration")?;
                    stanza.duration(args[0])?;
                }
                "reload_by_mtime" if stanza.around.version > crate::Version::COMPARED => {}
                _ => return Err(stanza.unknown_property()),
            }
        }
    }
    Ok(())
}

pub(super) fn auto(stanza: &mut Stanza<'_>) -> Checked {
    while stanza.next() {
        let zones = stanza.args();
        stanza.origins(&zones)?;
        while let Some(property) = stanza.property()? {
            match property {
                "directory" => directory(stanza)?,
                "reload" => {
                    let args = stanza.some("a duration")?;
                    if stanza.duration(args[0])? < 0 {
                        return Err(stanza.bad(args[0], "a duration that is not negative"));
                    }
                }
                "upstream" => {
                    stanza.args();
                }
                _ => return Err(stanza.unknown_property()),
            }
        }
    }
    Ok(())
}

fn directory(stanza: &mut Stanza<'_>) -> Checked {
    const WANTED: &str = "DIRECTORY [EXPRESSION TEMPLATE]";
    stanza.required(WANTED)?;
    if let Some(pattern) = stanza.arg() {
        if expression(stanza, pattern)? == 0 {
            return Err(stanza.bad(pattern, "an expression with a group in parentheses"));
        }
        stanza.required(WANTED)?;
    }
    if stanza.arg().is_some() {
        return Err(stanza.arity(WANTED));
    }
    Ok(())
}

fn address(stanza: &Stanza<'_>, text: &str) -> Result<(), Refusal> {
    let host = value::host_port(text).map_or(text, |(host, _)| host);
    if value::ip(host).is_some() {
        Ok(())
    } else {
        Err(stanza.bad(text, "IP addresses"))
    }
}

pub(super) fn secondary(stanza: &mut Stanza<'_>) -> Checked {
    while stanza.next() {
        if stanza.word() != "secondary" {
            continue;
        }
        let zones = stanza.args();
        stanza.origins(&zones)?;
        let mut transfers = false;
        while let Some(property) = stanza.property()? {
            if property != "transfer" {
                return Err(stanza.unknown_property());
            }
            let from = stanza.required("`from` and addresses")?;
            if from != "from" {
                return Err(stanza.bad(from, "`from` and addresses"));
            }
            for host in stanza.some("`from` and addresses")? {
                address(stanza, host)?;
            }
            transfers = true;
        }
        if !transfers {
            return Err(stanza.refuse(
                "`secondary` says from where in no line",
                "add `transfer from ADDRESS` in braces",
            ));
        }
    }
    Ok(())
}

pub(super) fn transfer(stanza: &mut Stanza<'_>) -> Checked {
    while stanza.next() {
        let zones = stanza.args();
        stanza.origins(&zones)?;
        let mut any = false;
        while let Some(property) = stanza.property()? {
            if property != "to" {
                return Err(stanza.unknown_property());
            }
            for host in stanza.some("addresses, or `*`")? {
                if host != "*" {
                    address(stanza, host)?;
                }
            }
            any = true;
        }
        if !any {
            return Err(stanza.refuse("`transfer` says to whom in no line", "add `to ADDRESS` in braces"));
        }
    }
    Ok(())
}

/// Reads its first directive only.
pub(super) fn etcd(stanza: &mut Stanza<'_>) -> Checked {
    stanza.next();
    let zones = stanza.args();
    stanza.origins(&zones)?;
    while let Some(property) = stanza.property()? {
        match property {
            "stubzones" | "debug" => {}
            "fallthrough" | "upstream" => {
                stanza.args();
            }
            "path" => {
                stanza.required("a path")?;
            }
            "endpoint" => {
                stanza.some("addresses")?;
            }
            "tls" => {
                if stanza.args().len() > 3 {
                    return Err(stanza.arity("at most a certificate, a key and a CA"));
                }
            }
            "credentials" => {
                if stanza.args().len() != 2 {
                    return Err(stanza.arity("a user and a password"));
                }
            }
            "min-lease-ttl" | "max-lease-ttl" => {
                let word = stanza.required("a duration")?;
                let seconds = value::unsigned_up_to(word, u64::from(u32::MAX)).is_some();
                let fits = value::duration(word).is_some_and(|duration| {
                    (0..=i64::from(u32::MAX).saturating_mul(SECOND)).contains(&duration)
                });
                if !seconds && !fits {
                    return Err(stanza.bad(word, "a duration or a number of seconds"));
                }
            }
            _ => return Err(stanza.unknown_property()),
        }
    }
    Ok(())
}
