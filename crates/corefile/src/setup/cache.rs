//! The cache.

use crate::stanza::{Checked, Stanza};
use crate::value::SECOND;
use crate::version::Version;

pub(super) fn cache(stanza: &mut Stanza<'_>) -> Checked {
    let mut seen = false;
    while stanza.next() {
        if std::mem::replace(&mut seen, true) {
            return Err(stanza.twice());
        }
        let args = stanza.args();
        let mut zones = args.as_slice();
        // A first argument that is a number is the longest time; anything else is a zone.
        if let Some(ttl) = args.first().and_then(|ttl| crate::value::integer(ttl)) {
            if ttl <= 0 {
                return Err(stanza.bad(args[0], "a time of at least 1 second, as a number of seconds"));
            }
            zones = &args[1..];
        }
        stanza.origins(zones)?;
        while let Some(property) = stanza.property()? {
            cache_property(stanza, property)?;
        }
    }
    Ok(())
}

fn cache_property(stanza: &mut Stanza<'_>, property: &str) -> Checked {
    match property {
        "success" | "denial" => capacity(stanza),
        "prefetch" => prefetch(stanza),
        "serve_stale" => serve_stale(stanza),
        "servfail" => {
            let word = stanza.one("a duration of at most 5m")?;
            let duration = stanza.duration(word)?;
            if (0..=300 * SECOND).contains(&duration) {
                Ok(())
            } else {
                Err(stanza.bad(word, "a duration of at most 5m"))
            }
        }
        "disable" => {
            let args = stanza.some("success or denial, and zones")?;
            if ["success", "denial"].contains(&args[0]) {
                Ok(())
            } else {
                Err(stanza.bad(args[0], "success or denial first"))
            }
        }
        "keepttl" => stanza.none(),
        "serve_stale_policy" | "prefer_positive" => {
            stanza.args();
            Ok(())
        }
        _ => Err(stanza.unknown_property()),
    }
}

fn capacity(stanza: &mut Stanza<'_>) -> Checked {
    let args = stanza.some("a capacity, then the longest and the shortest time in seconds")?;
    stanza.integer(args[0])?;
    if let Some(longest) = args.get(1)
        && stanza.integer(longest)? <= 0
    {
        return Err(stanza.bad(longest, "a time of at least 1 second, as a number of seconds"));
    }
    if let Some(shortest) = args.get(2)
        && stanza.integer(shortest)? < 0
    {
        return Err(stanza.bad(shortest, "a time that is not negative, as a number of seconds"));
    }
    Ok(())
}

fn prefetch(stanza: &mut Stanza<'_>) -> Checked {
    const WANTED: &str = "AMOUNT [DURATION [PERCENT%]], for example `10 1m 10%`";
    let args = stanza.some(WANTED)?;
    if args.len() > 3 {
        return Err(stanza.arity(WANTED));
    }
    if stanza.integer(args[0])? < 0 {
        return Err(stanza.bad(args[0], WANTED));
    }
    if let Some(duration) = args.get(1)
        && crate::value::duration(duration).is_none()
    {
        return Err(stanza.bad(duration, WANTED));
    }
    if let Some(word) = args.get(2) {
        let percent = word.strip_suffix('%').and_then(crate::value::integer);
        if percent.is_none_or(|percent| !(10..=90).contains(&percent)) {
            return Err(stanza.bad(word, "a percentage from 10% to 90% at its end"));
        }
    }
    Ok(())
}

fn serve_stale(stanza: &mut Stanza<'_>) -> Checked {
    const WANTED: &str = "[DURATION [immediate|verify]]";
    let args = stanza.args();
    let most = if stanza.around.version >= Version::new(1, 14, 4) {
        5
    } else {
        2
    };
    if args.len() > most {
        return Err(stanza.arity(WANTED));
    }
    if let Some(duration) = args.first()
        && stanza.duration(duration)? < 0
    {
        return Err(stanza.bad(duration, WANTED));
    }
    if let Some(mode) = args.get(1)
        && !["immediate", "verify"].contains(&mode.to_lowercase().as_str())
    {
        return Err(stanza.bad(mode, WANTED));
    }
    Ok(())
}
