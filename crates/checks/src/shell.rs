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

/// A command on the node itself. The debug pod that kubectl makes for it stays and has to be deleted.
pub(crate) fn on_node(node: &str, command: &str) -> String {
    let node = word(node);
    format!("kubectl debug node/{node} -it --profile=sysadmin --image=busybox:1.37 -- chroot /host {command}")
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
}
