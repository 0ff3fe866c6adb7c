//! Plugins that send queries on.

use super::upstream::upstreams;
use crate::address::normal_zones;
use crate::stanza::{Checked, Stanza};
use crate::value;
use crate::version::Version;

/// The most upstreams that CoreDNS takes for one `forward`.
const MOST: usize = 15;

const RCODES: &[&str] = &[
    "NOERROR",
    "FORMERR",
    "SERVFAIL",
    "NXDOMAIN",
    "NOTIMP",
    "REFUSED",
    "YXDOMAIN",
    "YXRRSET",
    "NXRRSET",
    "NOTAUTH",
    "NOTZONE",
    "DSOTYPENI",
    "BADSIG",
    "BADVERS",
    "BADKEY",
    "BADTIME",
    "BADMODE",
    "BADNAME",
    "BADALG",
    "BADTRUNC",
    "BADCOOKIE",
    "NOTIMPL",
];

/// Whether it is the name of a response code, in capitals.
pub(super) fn is_rcode(word: &str) -> bool {
    RCODES.contains(&word)
}

pub(super) fn forward(stanza: &mut Stanza<'_>) -> Checked {
    let version = stanza.around.version;
    let mut seen = false;
    while stanza.next() {
        if std::mem::replace(&mut seen, true) && version < Version::new(1, 9, 4) {
            return Err(stanza.twice());
        }
        let from = stanza.required("a zone and upstreams")?;
        if normal_zones(from).is_empty() {
            return Err(stanza.bad(from, "a zone first, then the upstreams"));
        }
        let to = stanza.some("a zone and upstreams")?;
        let schemes = upstreams(stanza, &to)?;
        let allowed: &[&str] = if version >= Version::new(1, 14, 4) {
            &["dns", "tls", "quic", "https"]
        } else {
            &["dns", "tls"]
        };
        if let Some(other) = schemes.iter().find(|scheme| !allowed.contains(scheme)) {
            return Err(stanza.refuse(
                format!("forward does not speak {other} to upstreams in CoreDNS {version}"),
                "use plain addresses or tls://ADDRESS",
            ));
        }
        while let Some(property) = stanza.property()? {
            forward_property(stanza, property)?;
        }
        if schemes.len() > MOST {
            return Err(stanza.refuse(
                format!(
                    "forward takes {MOST} upstreams at most, and these are {}",
                    schemes.len()
                ),
                "remove some",
            ));
        }
    }
    Ok(())
}

fn forward_property(stanza: &mut Stanza<'_>, property: &str) -> Checked {
    match property {
        "except" => {
            stanza.some("zones")?;
        }
        "max_fails" | "max_connect_attempts" => {
            let number = stanza.required("a number")?;
            if value::unsigned(number).is_none() {
                return Err(stanza.bad(number, "a whole number from 0"));
            }
        }
        "health_check" => health_check(stanza)?,
        "force_tcp" | "prefer_udp" | "next_on_nodata" => {
            if stanza.arg().is_some() {
                return Err(stanza.arity("none"));
            }
        }
        "failfast_all_unhealthy_upstreams" => stanza.none()?,
        "tls" => {
            if stanza.args().len() > 3 {
                return Err(stanza.arity("at most a certificate, a key and a CA"));
            }
        }
        "tls_servername" => {
            stanza.required("a name")?;
        }
        "expire" | "max_age" | "read_timeout" => {
            let word = stanza.required("a duration")?;
            if stanza.duration(word)? < 0 {
                return Err(stanza.bad(word, "a duration that is not negative"));
            }
        }
        "policy" => policy(stanza)?,
        "max_concurrent" | "max_idle_conns" => {
            let number = stanza.required("a number")?;
            if stanza.integer(number)? < 0 {
                return Err(stanza.bad(number, "a whole number from 0"));
            }
        }
        "next" | "failover" => {
            for rcode in stanza.some("response codes, for example `NXDOMAIN SERVFAIL`")? {
                if !is_rcode(&rcode.to_uppercase()) {
                    return Err(stanza.bad(rcode, "response codes, for example `NXDOMAIN SERVFAIL`"));
                }
            }
        }
        // Later versions have these, and what they take is not known well enough to refuse anything.
        "doh_method" | "resolver" | "source_address" => {
            stanza.args();
        }
        _ => return Err(stanza.unknown_property()),
    }
    Ok(())
}

fn health_check(stanza: &mut Stanza<'_>) -> Checked {
    let word = stanza.required("a duration")?;
    if stanza.duration(word)? < 0 {
        return Err(stanza.bad(word, "a duration that is not negative"));
    }
    while let Some(option) = stanza.arg() {
        match option {
            "no_rec" if stanza.around.version >= Version::new(1, 7, 0) => {}
            "domain" if stanza.around.version >= Version::new(1, 9, 3) => {
                let domain = stanza.required("a domain name behind `domain`")?;
                if !value::is_domain_name(domain) {
                    return Err(stanza.bad(domain, "a domain name behind `domain`"));
                }
            }
            other => return Err(stanza.bad(other, "a duration, then `no_rec` or `domain NAME`")),
        }
    }
    Ok(())
}

fn policy(stanza: &mut Stanza<'_>) -> Checked {
    let policy = stanza.required("random, round_robin or sequential")?;
    if ["random", "round_robin", "sequential"].contains(&policy) {
        Ok(())
    } else {
        Err(stanza.bad(policy, "random, round_robin or sequential"))
    }
}

pub(super) fn grpc(stanza: &mut Stanza<'_>) -> Checked {
    let mut seen = false;
    while stanza.next() {
        if std::mem::replace(&mut seen, true) {
            return Err(stanza.twice());
        }
        let from = stanza.required("a zone and upstreams")?;
        if normal_zones(from).is_empty() {
            return Err(stanza.bad(from, "a zone first, then the upstreams"));
        }
        let to = stanza.some("a zone and upstreams")?;
        let schemes = upstreams(stanza, &to)?;
        while let Some(property) = stanza.property()? {
            match property {
                "except" => {
                    stanza.some("zones")?;
                }
                "tls" => {
                    if stanza.args().len() > 3 {
                        return Err(stanza.arity("at most a certificate, a key and a CA"));
                    }
                }
                "tls_servername" => {
                    stanza.required("a name")?;
                }
                "policy" => policy(stanza)?,
                "fallthrough" => {
                    stanza.args();
                }
                _ => return Err(stanza.unknown_property()),
            }
        }
        if schemes.len() > MOST {
            return Err(stanza.refuse(format!("grpc takes {MOST} upstreams at most"), "remove some"));
        }
    }
    Ok(())
}
