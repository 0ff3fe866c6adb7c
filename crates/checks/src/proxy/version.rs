//! Which version of kube-proxy runs.

use super::Proxy;
use super::metrics::Metrics;

/// As `v1.34.4`: what it says itself, else the tag of its image, where that is one.
pub(crate) fn of_pod<'a>(proxy: &Proxy<'a>) -> Option<&'a str> {
    let said = proxy
        .looks()
        .and_then(|(_, last)| Metrics::of(last))
        .and_then(|metrics| metrics.version());
    said.or_else(|| tag(&proxy.pod?.image))
}

/// The tag of an image that is a version.
fn tag(image: &str) -> Option<&str> {
    let name = image.split('@').next()?.rsplit('/').next()?;
    let (_, tag) = name.split_once(':')?;
    let is_version = tag.strip_prefix('v')?.starts_with(|c: char| c.is_ascii_digit());
    is_version.then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_version_where_it_looks_like_one() {
        assert_eq!(tag("registry.k8s.io/kube-proxy:v1.34.4"), Some("v1.34.4"));
        assert_eq!(
            tag("host:5000/eks/kube-proxy:v1.31.2-eksbuild.3@sha256:ab"),
            Some("v1.31.2-eksbuild.3")
        );
        assert_eq!(tag("host:5000/kube-proxy"), None);
        assert_eq!(tag("kube-proxy:latest"), None);
    }
}
