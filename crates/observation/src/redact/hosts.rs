//! Names of hosts in texts.

/// Under these keys stands text in which hosts are named.
const TEXTS: &[&str] = &[
    "answers",
    "domain",
    "files",
    "hostAliases",
    "image",
    "images",
    "info",
    "lines",
    "log",
    "mentions",
    "message",
    "name",
    "names",
    "resolvConf",
    "searches",
    "seen",
    "text",
    "value",
];

/// Endings of names that are no secret, or no hosts: Kubernetes' own zones and groups, units, files.
const NO_HOSTS: &[&str] = &[
    "alpha",
    "arpa",
    "beta",
    "conf",
    "conflist",
    "coreos.com",
    "cfg",
    "cluster.local",
    "crt",
    "docker.io",
    "env",
    "gcr.io",
    "ghcr.io",
    "html",
    "invalid",
    "json",
    "k8s.io",
    "key",
    "kubernetes.io",
    "localhost",
    "log",
    "microsoft.com",
    "pem",
    "projectcalico.org",
    "cilium.io",
    "quay.io",
    "scope",
    "service",
    "slice",
    "sock",
    "socket",
    "svc",
    "tigera.io",
    "tmp",
    "toml",
    "txt",
    "yaml",
    "yml",
];

/// Endings of files that are those of domains too: a file has one dot.
const FILES: [&str; 3] = ["go", "md", "sh"];

/// Whether hosts are looked for under this key.
pub(super) fn is_text(key: &str) -> bool {
    TEXTS.contains(&key)
}

/// The names of hosts in a text, in small letters: words with dots that end as domains do.
pub(super) fn in_text(text: &str) -> impl Iterator<Item = String> {
    let words =
        text.split(|character: char| !(character.is_ascii_alphanumeric() || "-._/".contains(character)));
    // What has a slash before its dots is a path, or an image: its host stands before the first one.
    let words = words.filter_map(|word| word.split('/').find(|part| !part.is_empty()));
    words
        .map(|word| without_services(word.trim_matches(['.', '-'])))
        // Small and capital letters stand side by side in words of programs: `http.Client`.
        .filter(|word| {
            !word.contains(|it: char| it.is_ascii_uppercase())
                || !word.contains(|it: char| it.is_ascii_lowercase())
        })
        .map(str::to_ascii_lowercase)
        .filter(|word| is_host(word))
}

/// A host without the service and the protocol that a name of SRV records has before it: `_ldap._tcp.example.com`.
fn without_services(word: &str) -> &str {
    let mut rest = word;
    while let Some((first, after)) = rest.split_once('.')
        && first.starts_with('_')
    {
        rest = after;
    }
    rest
}

fn is_host(word: &str) -> bool {
    let mut labels = word.rsplit('.');
    let last = labels.next().unwrap_or_default();
    let is_domain = (2..=24).contains(&last.len()) && last.bytes().all(|byte| byte.is_ascii_lowercase());
    let mut rest = labels.peekable();
    let are_labels = rest.peek().is_some()
        && rest.all(|label| {
            let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            !label.is_empty() && label.bytes().all(inner)
        });
    let is_known = |ending: &&str| {
        word.ends_with(*ending) && {
            let before = &word[..word.len() - ending.len()];
            before.is_empty() || before.ends_with('.')
        }
    };
    let is_file = FILES.contains(&last) && word.matches('.').count() == 1;
    is_domain && are_labels && !is_file && !word.starts_with("net.") && !NO_HOSTS.iter().any(is_known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_from_files_settings_and_versions() {
        let text = "search corp.example.com svc.cluster.local\nnameserver 10.0.0.1 registry.acme.io/team/app:1.2.3 \
                    10-flannel.conflist net.ipv4.ip_forward flannel.1 registry.k8s.io/pause:3.10 proxier.go:12 v1.34.4 e.g";
        assert_eq!(
            in_text(text).collect::<Vec<_>>(),
            ["corp.example.com", "registry.acme.io"]
        );
    }

    #[test]
    fn services_before_hosts_capital_letters_and_domains_that_end_as_files_do_are_hosts() {
        let text = "_ldap._tcp.acme.corp DB.ACME.COM printer.local git.acme.sh install.sh http.Client web.svc.cluster.local";
        assert_eq!(
            in_text(text).collect::<Vec<_>>(),
            ["acme.corp", "db.acme.com", "printer.local", "git.acme.sh"]
        );
    }
}
