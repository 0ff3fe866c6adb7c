//! Commands for people to paste.

/// The word as a POSIX shell takes it for one: a name that came from a cluster must not become a second command.
pub(crate) fn word(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-._:/=@,".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Commands on the node itself, one after the other. The debug pod that kubectl makes for them stays, and has to be
/// deleted.
pub(crate) fn on_node(node: &str, commands: &[&str]) -> String {
    let run = match commands {
        [one] if !one.contains(['|', '\'', ';']) => (*one).to_owned(),
        several => format!("sh -c {}", word(&several.join("; "))),
    };
    format!(
        "kubectl debug node/{} -it --profile=sysadmin --image=busybox:1.37 -- chroot /host {run}",
        word(node)
    )
}

/// What a pod logged of late: as much of it as is read of logs.
pub(crate) fn recent_log(namespace: &str, pod: &str) -> String {
    format!(
        "kubectl logs {} -n {} --since=15m --tail=300",
        word(pod),
        word(namespace)
    )
}

/// The resolver's file of a pod, as the pod itself sees it.
pub(crate) fn resolv_conf_of(namespace: &str, pod: &str) -> String {
    format!(
        "kubectl exec {} -n {} -- cat /etc/resolv.conf",
        word(pod),
        word(namespace)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_becomes_a_second_command() {
        assert_eq!(word("ip-10-0-0-1.eu.internal"), "ip-10-0-0-1.eu.internal");
        assert_eq!(word("a; rm -rf /"), "'a; rm -rf /'");
        assert_eq!(word("it's"), r"'it'\''s'");
        assert_eq!(word(""), "''");
    }

    #[test]
    fn several_commands_on_a_node_are_one_word_to_kubectl() {
        assert!(on_node("node1", &["ip route"]).ends_with("-- chroot /host ip route"));
        assert!(
            on_node("node1", &["ip route", "ip neigh"])
                .ends_with("-- chroot /host sh -c 'ip route; ip neigh'")
        );
    }
}
