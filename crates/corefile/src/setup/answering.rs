//! Plugins that make, change and refuse answers.

use super::forward::is_rcode;
use super::rows::expression;
use crate::stanza::{Checked, Stanza};
use crate::{template, value};

const TYPES: &str = " A AAAA AFSDB AMTRELAY ANY APL ATMA AVC AXFR CAA CDNSKEY CDS CERT CNAME CSYNC DHCID DLV DNAME \
    DNSKEY DS EID EUI48 EUI64 GID GPOS HINFO HIP HTTPS IPSECKEY ISDN IXFR KEY KX L32 L64 LOC LP MAILA MAILB MB MD MF \
    MG MINFO MR MX NAPTR NID NIMLOC NINFO NS NSAP-PTR NSEC NSEC3 NSEC3PARAM NULL NXNAME NXT None OPENPGPKEY OPT PTR \
    PX RESINFO RKEY RP RRSIG RT Reserved SIG SMIMEA SOA SPF SRV SSHFP SVCB TA TALINK TKEY TLSA TSIG TXT UID UINFO \
    UNSPEC URI X25 ZONEMD ";

/// Whether it is a record type as CoreDNS names it; case counts.
pub(super) fn is_type(word: &str) -> bool {
    !word.contains(' ') && TYPES.contains(&format!(" {word} "))
}

/// Whether it is the name of a class; case counts.
pub(super) fn is_class(word: &str) -> bool {
    ["IN", "CS", "CH", "HS", "NONE", "ANY"].contains(&word)
}

pub(super) fn template(stanza: &mut Stanza<'_>) -> Checked {
    const WANTED: &str = "CLASS TYPE [ZONE…], for example `IN A example.org`";
    while stanza.next() {
        let class = stanza.required(WANTED)?;
        if !is_class(class) {
            return Err(stanza.bad(class, WANTED));
        }
        let kind = stanza.required(WANTED)?;
        if !is_type(kind) {
            return Err(stanza.bad(kind, WANTED));
        }
        let zones = stanza.args();
        stanza.origins(&zones)?;
        while let Some(property) = stanza.property()? {
            template_property(stanza, property)?;
        }
    }
    Ok(())
}

fn template_property(stanza: &mut Stanza<'_>, property: &str) -> Checked {
    match property {
        "match" => {
            for pattern in stanza.some("regular expressions")? {
                expression(stanza, pattern)?;
            }
        }
        "answer" | "additional" | "authority" => {
            for text in stanza.some("records, in quotes")? {
                template::check(text).map_err(|why| {
                    stanza.refuse(
                        format!("`{text}` is no template: {why}"),
                        "correct it; the syntax is that of Go's text/template",
                    )
                })?;
            }
        }
        "rcode" => {
            let rcode = stanza.required("a response code in capitals")?;
            if !is_rcode(rcode) {
                return Err(stanza.bad(rcode, "a response code in capitals"));
            }
        }
        "ederror" => {
            let args = stanza.args();
            if !matches!(args.len(), 1 | 2) || value::unsigned_up_to(args[0], 65535).is_none() {
                return Err(stanza.arity("a number, and a reason if wanted"));
            }
        }
        "fallthrough" | "upstream" => {
            stanza.args();
        }
        _ => return Err(stanza.unknown_property()),
    }
    Ok(())
}

pub(super) fn acl(stanza: &mut Stanza<'_>) -> Checked {
    while stanza.next() {
        let zones = stanza.args();
        stanza.origins(&zones)?;
        while let Some(property) = stanza.property()? {
            if !["allow", "block", "filter", "drop"].contains(&property.to_lowercase().as_str()) {
                return Err(stanza.unknown_property());
            }
            sections(stanza)?;
        }
    }
    Ok(())
}

fn sections(stanza: &mut Stanza<'_>) -> Checked {
    const WANTED: &str = "`type TYPE…` and `net ADDRESS…`";
    let args = stanza.args();
    let is_section = |word: &str| ["type", "net"].contains(&word.to_lowercase().as_str());
    let mut rest = args.as_slice();
    while let Some((section, after)) = rest.split_first() {
        if !is_section(section) {
            return Err(stanza.bad(section, WANTED));
        }
        let end = after
            .iter()
            .position(|word| is_section(word))
            .unwrap_or(after.len());
        let (words, after) = after.split_at(end);
        if words.is_empty() {
            return Err(stanza.arity(WANTED));
        }
        for word in words.iter().take_while(|word| **word != "*") {
            let fits = if section.eq_ignore_ascii_case("type") {
                is_type(word)
            } else {
                value::cidr(word).is_some() || value::ip(word).is_some()
            };
            if !fits {
                return Err(stanza.bad(word, WANTED));
            }
        }
        rest = after;
    }
    Ok(())
}

pub(super) fn loadbalance(stanza: &mut Stanza<'_>) -> Checked {
    while stanza.next() {
        match stanza.args().as_slice() {
            [] | ["round_robin"] => {}
            ["weighted", _] => {
                while let Some(property) = stanza.property()? {
                    if property != "reload" {
                        return Err(stanza.unknown_property());
                    }
                    let word = stanza.one("a duration")?;
                    stanza.duration(word)?;
                }
            }
            ["round_robin" | "weighted", ..] => return Err(stanza.arity("`round_robin`, or `weighted FILE`")),
            [other, ..] => return Err(stanza.bad(other, "`round_robin`, or `weighted FILE`")),
        }
        while let Some(property) = stanza.property()? {
            if property != "prefer" {
                return Err(stanza.unknown_property());
            }
            for prefix in stanza.args() {
                if value::cidr(prefix).is_none() {
                    return Err(stanza.bad(prefix, "prefixes, for example `10.0.0.0/8`"));
                }
            }
        }
    }
    Ok(())
}

pub(super) fn autopath(stanza: &mut Stanza<'_>) -> Checked {
    while stanza.next() {
        let args = stanza.some("`@kubernetes`, or a file like /etc/resolv.conf")?;
        let (resolv, zones) = args.split_last().unwrap_or((&"", &[]));
        if !resolv.starts_with('@') {
            let sources = stanza.around.sources;
            let known = sources.files.contains_key(&crate::Sources::absolute("/", resolv));
            if !known && (sources.files_are_complete || !resolv.contains('/')) {
                return Err(stanza.bad(resolv, "`@kubernetes`, or a file that is there"));
            }
        }
        stanza.origins(zones)?;
    }
    Ok(())
}

pub(super) fn dns64(stanza: &mut Stanza<'_>) -> Checked {
    let prefix = |stanza: &Stanza<'_>, word: &str| {
        let fits = value::cidr(word).is_some_and(|(address, length)| {
            address.is_ipv6() && length % 8 == 0 && (32..=96).contains(&length)
        });
        if fits {
            Ok(())
        } else {
            Err(stanza.bad(word, "an IPv6 prefix of 32 to 96 bits, in steps of 8"))
        }
    };
    while stanza.next() {
        match stanza.args().as_slice() {
            [] => {}
            [word] => {
                prefix(stanza, word)?;
                continue;
            }
            _ => return Err(stanza.arity("at most a prefix")),
        }
        while let Some(property) = stanza.property()? {
            match property {
                "prefix" => {
                    let word = stanza.required("a prefix")?;
                    prefix(stanza, word)?;
                }
                "translate_all" | "allow_ipv4" => {}
                _ => return Err(stanza.unknown_property()),
            }
        }
    }
    Ok(())
}

pub(super) fn header(stanza: &mut Stanza<'_>) -> Checked {
    const WANTED: &str = "`set` or `clear`, and flags: aa, ra, rd";
    while stanza.next() {
        let mut rules = 0;
        while let Some(property) = stanza.property()? {
            if !["query", "response"].contains(&property.to_lowercase().as_str()) {
                return Err(stanza.unknown_property());
            }
            let action = stanza.required(WANTED)?;
            let flags = stanza.some(WANTED)?;
            if !["set", "clear"].contains(&action.to_lowercase().as_str()) {
                return Err(stanza.bad(action, WANTED));
            }
            for flag in flags {
                if !["aa", "ra", "rd"].contains(&flag.to_lowercase().as_str()) {
                    return Err(stanza.bad(flag, WANTED));
                }
                rules += 1;
            }
        }
        // What stands behind the first directive with rules is not read.
        if rules > 0 {
            return Ok(());
        }
    }
    Err(stanza.refuse(
        "`header` sets nothing",
        "add `response set aa` or the like in braces",
    ))
}

pub(super) fn tsig(stanza: &mut Stanza<'_>) -> Checked {
    let mut seen = false;
    while stanza.next() {
        if std::mem::replace(&mut seen, true) {
            return Err(stanza.twice());
        }
        let zones = stanza.args();
        stanza.origins(&zones)?;
        let mut keys: Vec<String> = Vec::new();
        while let Some(property) = stanza.property()? {
            match property {
                "secret" => {
                    let args = stanza.args();
                    let [name, _] = args.as_slice() else {
                        return Err(stanza.arity("a name and a key"));
                    };
                    let name = value::normal_name(name);
                    if keys.contains(&name) {
                        return Err(stanza.refuse(format!("the key {name} is set twice"), "remove one"));
                    }
                    keys.push(name);
                }
                "secrets" => {
                    stanza.one("a file")?;
                }
                "require" => {
                    let types = stanza.some("all, none, or record types")?;
                    if !["all", "none"].contains(&types[0])
                        && let Some(other) = types.iter().find(|kind| !is_type(kind))
                    {
                        return Err(stanza.bad(other, "all, none, or record types"));
                    }
                }
                _ => return Err(stanza.unknown_property()),
            }
        }
    }
    Ok(())
}

pub(super) fn erratic(stanza: &mut Stanza<'_>) -> Checked {
    while stanza.next() {
        while let Some(property) = stanza.property()? {
            let most = match property {
                "drop" | "truncate" => 1,
                "delay" => 2,
                "large" => continue,
                _ => return Err(stanza.unknown_property()),
            };
            let args = stanza.args();
            if args.len() > most {
                return Err(stanza.arity("a number, and a duration for `delay`"));
            }
            if let Some(number) = args.first()
                && !(0..=i64::from(i32::MAX)).contains(&stanza.integer(number)?)
            {
                return Err(stanza.bad(number, "a number from 0"));
            }
            if let Some(duration) = args.get(1) {
                stanza.duration(duration)?;
            }
        }
    }
    Ok(())
}
