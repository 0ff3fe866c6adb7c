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
    "crt",
    "docker.io",
    "env",
    "gcr.io",
    "ghcr.io",
    "go",
    "html",
    "invalid",
    "json",
    "k8s.io",
    "key",
    "kubernetes.io",
    "local",
    "localhost",
    "log",
    "md",
    "microsoft.com",
    "pem",
    "projectcalico.org",
    "cilium.io",
    "quay.io",
    "scope",
    "service",
    "sh",
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

/// Whether hosts are looked for under this key.
pub(super) fn is_text(key: &str) -> bool {
    TEXTS.contains(&key)
}

/// The names of hosts in a text: words with dots that end as domains do.
pub(super) fn in_text(text: &str) -> impl Iterator<Item = &str> {
    let words =
        text.split(|character: char| !(character.is_ascii_alphanumeric() || "-._/".contains(character)));
    // What has a slash before its dots is a path, or an image: its host stands before the first one.
    let words = words.filter_map(|word| word.split('/').find(|part| !part.is_empty()));
    words
        .map(|word| word.trim_matches(['.', '-']))
        .filter(|word| is_host(word))
}

fn is_host(word: &str) -> bool {
    let mut labels = word.rsplit('.');
    let is_domain = labels.next().is_some_and(|last| {
        (2..=24).contains(&last.len()) && last.bytes().all(|byte| byte.is_ascii_lowercase())
    });
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
    is_domain && are_labels && !word.starts_with("net.") && !NO_HOSTS.iter().any(is_known)
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
}
