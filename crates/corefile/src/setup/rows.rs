//! Plugins that watch, report and switch.

use crate::regex;
use crate::stanza::{Checked, Stanza};
use crate::value::{self, SECOND};
use crate::version::Version;

const LISTEN: &str = "an address and a port to listen on, for example `:8080`";

fn listening(stanza: &Stanza<'_>, args: &[&str]) -> Checked {
    match args {
        [] => Ok(()),
        [address] if value::host_port(address).is_some() => Ok(()),
        [address] => Err(stanza.bad(address, LISTEN)),
        _ => Err(stanza.arity(&format!("at most {LISTEN}"))),
    }
}

pub(super) fn errors(stanza: &mut Stanza<'_>) -> Checked {
    let mut seen = false;
    while stanza.next() {
        if std::mem::replace(&mut seen, true) {
            return Err(stanza.twice());
        }
        match stanza.args().as_slice() {
            [] | ["stdout"] => {}
            [other] => return Err(stanza.bad(other, "nothing: it always writes to standard output")),
            _ => return Err(stanza.arity("none")),
        }
        while let Some(property) = stanza.property()? {
            match property {
                "stacktrace" => {}
                "consolidate" => consolidate(stanza)?,
                _ => return Err(stanza.unknown_property()),
            }
        }
    }
    Ok(())
}

fn consolidate(stanza: &mut Stanza<'_>) -> Checked {
    let mut args = stanza.args();
    if stanza.around.version >= Version::new(1, 14, 0) && args.last() == Some(&"show_first") {
        args.pop();
    }
    let (period, pattern, level) = match args.as_slice() {
        [period, pattern] => (period, pattern, None),
        [period, pattern, level] => (period, pattern, Some(level)),
        _ => return Err(stanza.arity("a duration, a regular expression, and a level if wanted")),
    };
    stanza.duration(period)?;
    expression(stanza, pattern)?;
    match level {
        Some(level) if !["warning", "error", "info", "debug"].contains(level) => {
            Err(stanza.bad(level, "the level warning, error, info or debug"))
        }
        _ => Ok(()),
    }
}

/// A regular expression; returns the number of its groups.
pub(super) fn expression(stanza: &Stanza<'_>, pattern: &str) -> Result<usize, crate::Refusal> {
    regex::groups(pattern).map_err(|why| {
        stanza.refuse(
            format!("`{pattern}` is no regular expression: {why}"),
            "correct it; the syntax is that of Go (RE2)",
        )
    })
}

pub(super) fn health(stanza: &mut Stanza<'_>) -> Checked {
    while stanza.next() {
        let args = stanza.args();
        listening(stanza, &args)?;
        while let Some(property) = stanza.property()? {
            match property {
                "lameduck" => {
                    let duration = stanza.one("a duration")?;
                    stanza.duration(duration)?;
                }
                _ => return Err(stanza.unknown_property()),
            }
        }
    }
    Ok(())
}

pub(super) fn ready(stanza: &mut Stanza<'_>) -> Checked {
    let mut seen = false;
    while stanza.next() {
        if std::mem::replace(&mut seen, true) {
            return Err(stanza.twice());
        }
        let args = stanza.args();
        listening(stanza, &args)?;
        // Anything else within the braces is passed over in silence.
        while let Some(property) = stanza.property()? {
            if property == "monitor" {
                let kind = stanza.one("until-ready or continuously")?;
                if !["until-ready", "continuously"].contains(&kind) {
                    return Err(stanza.bad(kind, "until-ready or continuously"));
                }
            }
        }
    }
    Ok(())
}

pub(super) fn prometheus(stanza: &mut Stanza<'_>) -> Checked {
    let mut seen = false;
    while stanza.next() {
        if std::mem::replace(&mut seen, true) {
            return Err(stanza.twice());
        }
        stanza.origins(&[])?;
        let args = stanza.args();
        listening(stanza, &args)?;
    }
    Ok(())
}

pub(super) fn pprof(stanza: &mut Stanza<'_>) -> Checked {
    let mut seen = false;
    while stanza.next() {
        if std::mem::replace(&mut seen, true) {
            return Err(stanza.twice());
        }
        let args = stanza.args();
        listening(stanza, &args)?;
        while let Some(property) = stanza.property()? {
            match property {
                "block" => match stanza.args().as_slice() {
                    [] => {}
                    [rate] => {
                        stanza.integer(rate)?;
                    }
                    _ => return Err(stanza.arity("at most a number")),
                },
                _ => return Err(stanza.unknown_property()),
            }
        }
    }
    Ok(())
}

pub(super) fn reload(stanza: &mut Stanza<'_>) -> Checked {
    stanza.next();
    let args = stanza.args();
    if args.len() > 2 {
        return Err(stanza.arity("an interval and a jitter"));
    }
    if let Some(interval) = args.first()
        && stanza.duration(interval)? < 2 * SECOND
    {
        return Err(stanza.bad(interval, "an interval of at least 2s"));
    }
    if let Some(jitter) = args.get(1) {
        let duration = stanza.duration(jitter)?;
        let may_be_none = stanza.around.version >= Version::new(1, 14, 2) && duration == 0;
        if duration < SECOND && !may_be_none {
            return Err(stanza.bad(jitter, "a jitter of at least 1s"));
        }
    }
    Ok(())
}

pub(super) fn once_without_arguments(stanza: &mut Stanza<'_>) -> Checked {
    let mut seen = false;
    while stanza.next() {
        if std::mem::replace(&mut seen, true) {
            return Err(stanza.twice());
        }
        if stanza.arg().is_some() {
            return Err(stanza.arity("none"));
        }
    }
    Ok(())
}

/// Those that look at their first line only.
pub(super) fn no_argument(stanza: &mut Stanza<'_>) -> Checked {
    stanza.next();
    if stanza.arg().is_some() {
        return Err(stanza.arity("none"));
    }
    Ok(())
}

pub(super) fn log(stanza: &mut Stanza<'_>) -> Checked {
    const CLASSES: &[&str] = &["all", "success", "denial", "error"];
    while stanza.next() {
        stanza.args();
        while let Some(property) = stanza.property()? {
            if property != "class" {
                return Err(stanza.unknown_property());
            }
            for class in stanza.some("classes: all, success, denial, error")? {
                if !CLASSES.contains(&class) {
                    return Err(stanza.bad(class, "classes: all, success, denial, error"));
                }
            }
        }
    }
    Ok(())
}

pub(super) fn metadata(stanza: &mut Stanza<'_>) -> Checked {
    stanza.next();
    let args = stanza.args();
    stanza.origins(&args)?;
    if stanza.property()?.is_some() {
        return Err(stanza.unknown_property());
    }
    if stanza.next() {
        return Err(stanza.twice());
    }
    Ok(())
}

pub(super) fn nsid(stanza: &mut Stanza<'_>) -> Checked {
    let mut seen = false;
    while stanza.next() {
        if std::mem::replace(&mut seen, true) {
            return Err(stanza.twice());
        }
        stanza.args();
    }
    Ok(())
}

pub(super) fn dnstap(stanza: &mut Stanza<'_>) -> Checked {
    while stanza.next() {
        stanza.some("an endpoint: a socket, tcp://HOST:PORT or tls://HOST:PORT")?;
        while let Some(property) = stanza.property()? {
            if ["identity", "version", "extra"].contains(&property) {
                stanza.required("a text")?;
            }
        }
    }
    Ok(())
}

pub(super) fn on(stanza: &mut Stanza<'_>) -> Checked {
    const EVENTS: &[&str] = &[
        "startup",
        "shutdown",
        "certrenew",
        "instancestartup",
        "instancerestart",
    ];
    while stanza.next() {
        let event = stanza.required("an event and a command")?;
        if !EVENTS.contains(&event.to_lowercase().as_str()) {
            return Err(stanza.bad(
                event,
                "the event startup, shutdown, certrenew, instancestartup or instancerestart",
            ));
        }
        stanza.some("a command")?;
    }
    Ok(())
}

pub(super) fn view(stanza: &mut Stanza<'_>) -> Checked {
    let mut seen = false;
    while stanza.next() {
        if std::mem::replace(&mut seen, true) {
            return Err(stanza.twice());
        }
        stanza.one("a name")?;
        while let Some(property) = stanza.property()? {
            match property {
                "expr" => {
                    stanza.some("an expression")?;
                }
                _ => return Err(stanza.unknown_property()),
            }
        }
    }
    Ok(())
}
