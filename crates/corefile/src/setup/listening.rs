//! How servers listen, and what holds for all their queries.

use crate::stanza::{Checked, Stanza};
use crate::value::{self, SECOND};

pub(super) fn bind(stanza: &mut Stanza<'_>) -> Checked {
    while stanza.next() {
        let mut names = stanza.some("addresses or names of interfaces")?;
        while let Some(property) = stanza.property()? {
            match property {
                "except" => names.extend(stanza.some("addresses or names of interfaces")?),
                _ => return Err(stanza.unknown_property()),
            }
        }
        for name in names {
            let interfaces = stanza.around.sources.interfaces.as_ref();
            let is_interface = interfaces.is_none_or(|known| known.contains(name));
            if !is_interface && value::ip(name).is_none() {
                return Err(stanza.bad(name, "addresses or names of interfaces that are there"));
            }
        }
    }
    Ok(())
}

/// Reads its first line only.
pub(super) fn bufsize(stanza: &mut Stanza<'_>) -> Checked {
    const WANTED: &str = "a number from 512 to 4096";
    stanza.next();
    match stanza.args().as_slice() {
        [] => Ok(()),
        [size] if value::integer(size).is_some_and(|size| (512..=4096).contains(&size)) => Ok(()),
        [size] => Err(stanza.bad(size, WANTED)),
        _ => Err(stanza.arity(WANTED)),
    }
}

pub(super) fn cancel(stanza: &mut Stanza<'_>) -> Checked {
    while stanza.next() {
        match stanza.args().as_slice() {
            [] => {}
            [duration] => {
                if stanza.duration(duration)? <= 0 {
                    return Err(stanza.bad(duration, "a duration above 0"));
                }
            }
            _ => return Err(stanza.arity("at most a duration")),
        }
    }
    Ok(())
}

pub(super) fn debug(stanza: &mut Stanza<'_>) -> Checked {
    while stanza.next() {
        if stanza.arg().is_some() {
            return Err(stanza.arity("none"));
        }
    }
    Ok(())
}

pub(super) fn root(stanza: &mut Stanza<'_>) -> Checked {
    while stanza.next() {
        stanza.required("a directory")?;
    }
    Ok(())
}

pub(super) fn multisocket(stanza: &mut Stanza<'_>) -> Checked {
    stanza.next();
    let args = stanza.args();
    if args.len() > 1 || stanza.next() {
        return Err(stanza.arity("at most one number, once"));
    }
    match args.first() {
        Some(number) if stanza.integer(number)? < 1 => Err(stanza.bad(number, "a number from 1")),
        _ => Ok(()),
    }
}

pub(super) fn quic(stanza: &mut Stanza<'_>) -> Checked {
    stanza.next();
    stanza.none()?;
    let mut seen: Vec<&str> = Vec::new();
    while let Some(property) = stanza.property()? {
        if !["max_streams", "worker_pool_size", "max_connections"].contains(&property) {
            return Err(stanza.unknown_property());
        }
        let number = stanza.one("a number from 1")?;
        if stanza.integer(number)? <= 0 {
            return Err(stanza.bad(number, "a number from 1"));
        }
        if seen.contains(&property) {
            return Err(stanza.refuse(format!("`{property}` stands here twice"), "remove one"));
        }
        seen.push(property);
    }
    Ok(())
}

pub(super) fn timeouts(stanza: &mut Stanza<'_>) -> Checked {
    while stanza.next() {
        stanza.none()?;
        let mut any = false;
        while let Some(property) = stanza.property()? {
            let word = stanza.one("a duration")?;
            let seconds = value::integer(word).and_then(|seconds| seconds.checked_mul(SECOND));
            let Some(duration) = seconds.or_else(|| value::duration(word)) else {
                return Err(stanza.bad(word, "a duration from 1s to 24h"));
            };
            if !(SECOND..=86_400 * SECOND).contains(&duration) {
                return Err(stanza.bad(word, "a duration from 1s to 24h"));
            }
            if !["read", "write", "idle"].contains(&property) {
                return Err(stanza.unknown_property());
            }
            any = true;
        }
        if !any {
            return Err(stanza.refuse(
                "`timeouts` sets no timeout",
                "set `read`, `write` or `idle` in braces",
            ));
        }
    }
    Ok(())
}

pub(super) fn tls(stanza: &mut Stanza<'_>) -> Checked {
    const KINDS: &[&str] = &[
        "nocert",
        "request",
        "require",
        "verify_if_given",
        "require_and_verify",
    ];
    while stanza.next() {
        if !(2..=3).contains(&stanza.args().len()) {
            return Err(stanza.arity("a certificate, a key, and a CA if wanted"));
        }
        while let Some(property) = stanza.property()? {
            if property != "client_auth" {
                return Err(stanza.unknown_property());
            }
            let wanted = KINDS.join(", ");
            let kind = stanza.one(&wanted)?;
            if !KINDS.contains(&kind) {
                return Err(stanza.bad(kind, &wanted));
            }
        }
    }
    Ok(())
}
