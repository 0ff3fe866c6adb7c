use crate::rules::model::{Family, View};
use crate::rules::words::{for_shell, split};

/// The command that deletes this rule and no other, safe to paste into a shell. `None` for what is no rule of iptables.
///
/// By its text and not by its number: between looking and deleting, a daemon may have put other rules before it.
pub(crate) fn deletion(view: View, family: Family, table: &str, text: &str) -> Option<String> {
    let program = match (view, family) {
        (View::IptablesNft, Family::Ip) => "iptables",
        (View::IptablesNft, Family::Ip6) => "ip6tables",
        (View::IptablesLegacy, Family::Ip) => "iptables-legacy",
        (View::IptablesLegacy, Family::Ip6) => "ip6tables-legacy",
        _ => return None,
    };
    let rest = text.strip_prefix("-A ")?;
    let mut command = format!("{program} -t {} -D", for_shell(table));
    for word in split(rest) {
        command.push(' ');
        command.push_str(&for_shell(&word.text));
    }
    Some(command)
}
