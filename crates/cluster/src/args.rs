//! The connection flags of kubectl, and the habits of its command line that clap does not have by itself.

use std::ffi::OsString;

use clap::Args;

/// kubectl's flags for choosing a cluster, a user and a namespace, under kubectl's names.
///
/// An empty value means "not set", as it does for kubectl. Every flag is accepted before and after a subcommand and
/// its positionals. Use [`kubectl_habits`] on the command, so that a repeated flag is not an error.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Connection flags (as for kubectl)")]
pub struct ConnectionArgs {
    /// Kubeconfig file to use for this command, instead of $KUBECONFIG and ~/.kube/config
    #[arg(long, global = true, value_name = "FILE", allow_hyphen_values = true)]
    pub kubeconfig: Option<String>,

    /// Where kubectl keeps its discovery cache; accepted, and not used: nothing is cached on disk
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    pub cache_dir: Option<String>,

    /// Context of the kubeconfig to use
    #[arg(long, global = true, value_name = "NAME", allow_hyphen_values = true)]
    pub context: Option<String>,

    /// Cluster of the kubeconfig to use
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    pub cluster: Option<String>,

    /// User of the kubeconfig to use
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    pub user: Option<String>,

    /// Namespace of this request; without it, the one of the context
    #[arg(
        long,
        short = 'n',
        global = true,
        value_name = "NAMESPACE",
        allow_hyphen_values = true
    )]
    pub namespace: Option<String>,

    /// Address and port of the API server
    #[arg(
        long,
        short = 's',
        global = true,
        value_name = "URL",
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    pub server: Option<String>,

    /// Name to expect in the server's certificate, instead of the host that is contacted
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    pub tls_server_name: Option<String>,

    /// Do not check the server's certificate: the connection is then not secure
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = parse_bool, hide_short_help = true)]
    pub insecure_skip_tls_verify: Option<bool>,

    /// File with the certificates that may have signed the server's
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    pub certificate_authority: Option<String>,

    /// File with the client certificate
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    pub client_certificate: Option<String>,

    /// File with the key of the client certificate
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    pub client_key: Option<String>,

    /// Bearer token for the API server
    #[arg(
        long,
        global = true,
        value_name = "TOKEN",
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    pub token: Option<String>,

    /// User to act as: a name, or system:serviceaccount:NAMESPACE:NAME
    #[arg(long = "as", global = true, value_name = "USER", allow_hyphen_values = true)]
    pub impersonate: Option<String>,

    /// UID to act as
    #[arg(
        long = "as-uid",
        global = true,
        value_name = "UID",
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    pub impersonate_uid: Option<String>,

    /// Group to act as; may be given several times
    #[arg(long = "as-group", global = true, value_name = "GROUP", action = clap::ArgAction::Append,
          allow_hyphen_values = true)]
    pub impersonate_groups: Vec<String>,

    /// Further attribute to act with, KEY=VALUE; may be given several times
    #[arg(long = "as-user-extra", global = true, value_name = "KEY=VALUE", action = clap::ArgAction::Append,
          allow_hyphen_values = true, hide_short_help = true)]
    pub impersonate_extra: Vec<String>,

    /// How long one request may take: seconds, or a number with a unit (1s, 2m, 3h); 0 means without limit.
    /// Without the flag a request is given up after 30s without an answer
    #[arg(long, global = true, value_name = "DURATION", allow_hyphen_values = true)]
    pub request_timeout: Option<String>,

    /// Ask the server not to compress its answers
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = parse_bool, hide_short_help = true)]
    pub disable_compression: Option<bool>,

    /// User name for basic authentication
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    pub username: Option<String>,

    /// Password for basic authentication
    #[arg(
        long,
        global = true,
        value_name = "PASSWORD",
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    pub password: Option<String>,

    /// Treat warnings of the API server as errors
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = parse_bool, hide_short_help = true)]
    pub warnings_as_errors: Option<bool>,

    /// How much to log on stderr: 6 the requests, 7 their headers, 8 their bodies, 9 more of the bodies
    #[arg(
        long = "v",
        short = 'v',
        global = true,
        value_name = "LEVEL",
        allow_hyphen_values = true
    )]
    pub verbosity: Option<i32>,
}

/// Settings of the whole command that make clap read flags as kubectl does: of a repeated flag the last one wins.
pub fn kubectl_habits(command: clap::Command) -> clap::Command {
    command.args_override_self(true)
}

/// Reads a boolean as kubectl does: `1`, `t`, `T`, `true`, `TRUE`, `True`, and the same for false.
///
/// # Errors
/// The text is something else; the error is a clause that says what is accepted.
pub fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("`{text}` is neither true nor false")),
    }
}

/// The command line with underscores in the names of long flags replaced by dashes, as kubectl accepts them:
/// `--request_timeout=5s`. Everything after `--` is left as it is, and so is every value.
///
/// `-nv`, `-n=v`, `--flag=false` and "the last one wins" need no rewriting: clap reads them, given the settings of
/// [`ConnectionArgs`] and [`kubectl_habits`].
pub fn normalize_args(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut flags_ended = false;
    args.map(|argument| {
        if argument == "--" {
            flags_ended = true;
        }
        match argument.to_str() {
            Some(text) if !flags_ended && text.starts_with("--") => OsString::from(with_dashes(text)),
            _ => argument,
        }
    })
    .collect()
}

fn with_dashes(flag: &str) -> String {
    match flag.split_once('=') {
        Some((name, value)) => format!("{}={value}", name.replace('_', "-")),
        None => flag.replace('_', "-"),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command, FromArgMatches as _};

    use super::*;

    fn parse(line: &[&str]) -> Result<ConnectionArgs, clap::Error> {
        let command = Command::new("kubectl-x").subcommand(Command::new("look").arg(Arg::new("target")));
        let arguments = normalize_args(
            std::iter::once("kubectl-x")
                .chain(line.iter().copied())
                .map(OsString::from),
        );
        let matches =
            kubectl_habits(ConnectionArgs::augment_args(command)).try_get_matches_from(arguments)?;
        let innermost = matches.subcommand().map_or(&matches, |(_, inner)| inner);
        ConnectionArgs::from_arg_matches(innermost)
    }

    #[test]
    fn every_spelling_of_a_namespace_is_understood() {
        for line in [
            &["look", "-n", "v"][..],
            &["look", "-nv"],
            &["look", "-n=v"],
            &["look", "--namespace", "v"],
            &["look", "--namespace=v"],
            &["-n", "v", "look"],
            &["look", "target", "-n", "v"],
            &["look", "-n", "v", "target"],
        ] {
            assert_eq!(parse(line).unwrap().namespace.as_deref(), Some("v"), "{line:?}");
        }
    }

    #[test]
    fn the_last_of_a_repeated_flag_wins() {
        assert_eq!(
            parse(&["look", "-n", "a", "-n", "b"])
                .unwrap()
                .namespace
                .as_deref(),
            Some("b")
        );
        assert_eq!(
            parse(&["-n", "a", "look", "-n", "b"])
                .unwrap()
                .namespace
                .as_deref(),
            Some("b")
        );
    }

    #[test]
    fn groups_are_collected_and_not_split_at_commas() {
        let args = parse(&["look", "--as-group", "a,b", "--as-group=c"]).unwrap();
        assert_eq!(args.impersonate_groups, ["a,b", "c"]);
    }

    #[test]
    fn booleans_take_a_value_only_after_an_equals_sign() {
        assert_eq!(
            parse(&["look", "--insecure-skip-tls-verify"])
                .unwrap()
                .insecure_skip_tls_verify,
            Some(true)
        );
        assert_eq!(
            parse(&["look", "--insecure-skip-tls-verify=false"])
                .unwrap()
                .insecure_skip_tls_verify,
            Some(false)
        );
        let args = parse(&["look", "--insecure-skip-tls-verify", "target"]).unwrap();
        assert_eq!(args.insecure_skip_tls_verify, Some(true));
    }

    #[test]
    fn underscores_in_names_are_dashes_and_stay_in_values() {
        let args = parse(&["look", "--request_timeout=5s", "--as_group", "my_group"]).unwrap();
        assert_eq!(args.request_timeout.as_deref(), Some("5s"));
        assert_eq!(args.impersonate_groups, ["my_group"]);
    }

    #[test]
    fn nothing_is_rewritten_after_two_dashes() {
        let line = ["x", "--a_b", "--", "--c_d"].map(OsString::from);
        assert_eq!(
            normalize_args(line.into_iter()),
            ["x", "--a-b", "--", "--c_d"].map(OsString::from)
        );
    }

    #[test]
    fn a_value_may_begin_with_a_dash() {
        assert_eq!(
            parse(&["look", "--token", "-abc"]).unwrap().token.as_deref(),
            Some("-abc")
        );
    }

    #[test]
    fn the_log_level_is_a_number_and_not_a_counter() {
        for line in [
            &["look", "-v", "6"][..],
            &["look", "-v6"],
            &["look", "-v=6"],
            &["look", "--v=6"],
            &["--v", "6", "look"],
        ] {
            assert_eq!(parse(line).unwrap().verbosity, Some(6), "{line:?}");
        }
        assert!(parse(&["look", "-v"]).is_err());
    }
}
