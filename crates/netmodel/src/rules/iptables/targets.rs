use super::matches::bits;
use super::options::{Given, Options, Target};
use crate::rules::action::{Action, Mss};

/// What a rule does with packets that match; `None` where it only counts them.
pub(super) fn action(options: &Options<'_>) -> Option<Action> {
    let target = options.target.as_ref()?;
    if target.is_goto {
        return Some(Action::Goto(target.name.to_owned()));
    }
    Some(match target.name {
        "ACCEPT" => Action::Accept,
        "DROP" => Action::Drop,
        "RETURN" => Action::Return,
        "REJECT" => Action::Reject(
            value(target, "--reject-with")
                .unwrap_or("icmp-port-unreachable")
                .to_owned(),
        ),
        "MASQUERADE" => Action::Masquerade,
        "SNAT" | "NETMAP" => translation(target, "--to-source")
            .map_or_else(|| Action::Unread(text(target)), |to| Action::Snat(to.to_owned())),
        "DNAT" => translation(target, "--to-destination").map_or_else(
            || Action::Unread(text(target)),
            |to| Action::Dnat(vec![to.to_owned()]),
        ),
        "REDIRECT" => Action::Redirect,
        "NOTRACK" => Action::NoTrack,
        "CT" if option(target, "--notrack").is_some() => Action::NoTrack,
        "MARK" => mark(target),
        "CONNMARK" | "CONNSECMARK" if option(target, "--restore-mark").is_some() => Action::SetMarkUnread,
        "CONNMARK" | "CONNSECMARK" => Action::SetConnectionMark,
        "TCPMSS" => clamp(target),
        "QUEUE" | "NFQUEUE" => Action::Queue,
        // These end in the rule after them, whatever they do to the packet.
        "LOG" | "NFLOG" | "ULOG" | "TRACE" | "AUDIT" | "CHECKSUM" | "CLASSIFY" | "CT" | "DSCP" | "TOS"
        | "TTL" | "HL" | "SECMARK" | "SET" | "TEE" | "IDLETIMER" | "LED" | "RATEEST" | "ECN"
        | "TCPOPTSTRIP" => Action::Aside(text(target)),
        "TPROXY" | "SYNPROXY" | "CLUSTERIP" | "MIRROR" | "STEAL" => Action::Unread(text(target)),
        // Names of targets are capitals; but so are those of most chains. Whether there is such a chain is only known
        // once the table was read: the walk decides.
        chain => Action::Jump(chain.to_owned()),
    })
}

fn option<'a>(target: &'a Target<'_>, name: &str) -> Option<&'a Given<'a>> {
    target.options.iter().find(|given| given.name == name)
}

fn value<'a>(target: &'a Target<'_>, name: &str) -> Option<&'a str> {
    option(target, name)?.value()
}

/// NETMAP writes `--to` for either direction.
fn translation<'a>(target: &'a Target<'_>, name: &str) -> Option<&'a str> {
    value(target, name).or_else(|| value(target, "--to"))
}

fn text(target: &Target<'_>) -> String {
    let mut text = format!("-j {}", target.name);
    for given in &target.options {
        text.push(' ');
        text.push_str(&given.text());
    }
    text
}

/// `MARK --set-xmark value/mask` is `(mark & !mask) ^ value`; the other spellings are older or typed by people.
fn mark(target: &Target<'_>) -> Action {
    let change = target.options.iter().find_map(|given| {
        let bits = bits(given.value()?)?;
        Some(match given.name {
            "--set-xmark" => (!bits.mask, bits.value),
            "--set-mark" => (!(bits.mask | bits.value), bits.value),
            "--or-mark" => (!bits.value, bits.value),
            "--and-mark" => (bits.value, 0),
            "--xor-mark" => (u32::MAX, bits.value),
            _ => return None,
        })
    });
    change.map_or(Action::SetMarkUnread, |(keep, flip)| Action::SetMark {
        keep,
        flip,
    })
}

fn clamp(target: &Target<'_>) -> Action {
    if option(target, "--clamp-mss-to-pmtu").is_some() {
        return Action::ClampMss(Mss::PathMtu);
    }
    match value(target, "--set-mss").and_then(|bytes| bytes.parse().ok()) {
        Some(bytes) => Action::ClampMss(Mss::Bytes(bytes)),
        None => Action::Aside(text(target)),
    }
}
