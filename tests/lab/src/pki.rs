//! The lab's certificate authority, every certificate it gives out, and the kubeconfigs made of them.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::plan;
use crate::state::{Settings, StateDir};

/// Certificates are made at each `up`, so this only has to outlast one lab.
const NOT_AFTER: (i32, u8, u8) = (2060, 1, 1);

/// The certificate authority of one lab.
struct Authority<'a> {
    state: &'a StateDir,
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// What a certificate proves, and to whom.
enum Usage<'a> {
    /// Who a client is.
    Client,
    /// That a server is the one at these names and addresses.
    Server(&'a [String]),
}

/// Makes all certificates and kubeconfigs of the lab.
pub(crate) fn create(state: &StateDir, settings: &Settings) -> Result<()> {
    let leg = settings.leg()?;
    let authority = Authority::create(state)?;
    let names: Vec<String> = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
        "127.0.0.1",
        plan::API_SERVICE,
        plan::ROUTER_V4,
        plan::ROUTER_V6,
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([leg.lab_end().to_string()])
    .collect();
    authority.issue("apiserver", "kube-apiserver", None, &Usage::Server(&names))?;
    authority.issue(
        "kubelet-client",
        "kube-apiserver-kubelet-client",
        None,
        &Usage::Client,
    )?;

    let loopback = Ipv4Addr::LOCALHOST.to_string();
    authority.user(
        "controller-manager",
        "system:kube-controller-manager",
        None,
        &loopback,
    )?;
    authority.user("scheduler", "system:kube-scheduler", None, &loopback)?;
    let outside = leg.lab_end().to_string();
    authority.user("admin", "kubernetes-admin", Some("system:masters"), &outside)?;
    authority.user("alice", "alice", Some("team-shop"), &outside)?;
    authority.user("vera", "vera", Some("auditors"), &outside)?;

    for number in settings.node_numbers() {
        let node = plan::node_name(number);
        let identity = format!("system:node:{node}");
        authority.user(&node, &identity, Some("system:nodes"), plan::ROUTER_V4)?;
        let names = [node.clone(), plan::node_v4(number), plan::node_v6(number)];
        authority.issue(
            &format!("{node}-serving"),
            &identity,
            Some("system:nodes"),
            &Usage::Server(&names),
        )?;
    }

    let tokens = KeyPair::generate().context("generate the key of the service accounts")?;
    write_private(state, "sa.key", &tokens.serialize_pem())?;
    fs::write(state.pki("sa.pub"), tokens.public_key_pem())?;
    Ok(())
}

impl<'a> Authority<'a> {
    fn create(state: &'a StateDir) -> Result<Self> {
        let key = KeyPair::generate().context("generate the key of the authority")?;
        let mut params = params("lab-ca", None, &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params
            .self_signed(&key)
            .context("sign the authority's certificate")?
            .pem();
        fs::write(state.pki("ca.crt"), &certificate)?;
        write_private(state, "ca.key", &key.serialize_pem())?;
        Ok(Self {
            state,
            issuer: Issuer::new(params, key),
            certificate,
        })
    }

    /// Writes `FILE.crt` and `FILE.key`; returns both as PEM.
    fn issue(
        &self,
        file: &str,
        name: &str,
        group: Option<&str>,
        usage: &Usage<'_>,
    ) -> Result<(String, String)> {
        let key = KeyPair::generate().with_context(|| format!("generate the key of {file}"))?;
        let (names, purpose) = match usage {
            Usage::Client => (&[][..], ExtendedKeyUsagePurpose::ClientAuth),
            Usage::Server(names) => (*names, ExtendedKeyUsagePurpose::ServerAuth),
        };
        let mut params = params(name, group, names)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .with_context(|| format!("sign the certificate of {file}"))?
            .pem();
        fs::write(self.state.pki(&format!("{file}.crt")), &certificate)?;
        let key = key.serialize_pem();
        write_private(self.state, &format!("{file}.key"), &key)?;
        Ok((certificate, key))
    }

    /// A client certificate and the kubeconfig that uses it.
    fn user(&self, file: &str, name: &str, group: Option<&str>, server: &str) -> Result<()> {
        let (certificate, key) = self.issue(file, name, group, &Usage::Client)?;
        let text = kubeconfig(file, server, &self.certificate, &certificate, &key);
        let path = self.state.kubeconfig(file);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(())
    }
}

fn params(name: &str, group: Option<&str>, names: &[String]) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(names).with_context(|| format!("names of {name}"))?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params.distinguished_name.push(DnType::CommonName, name);
    let (year, month, day) = NOT_AFTER;
    params.not_after = rcgen::date_time_ymd(year, month, day);
    Ok(params)
}

fn write_private(state: &StateDir, file: &str, text: &str) -> Result<()> {
    let path = state.pki(file);
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(())
}

/// A kubeconfig that needs no other file.
fn kubeconfig(user: &str, server: &str, authority: &str, certificate: &str, key: &str) -> String {
    let [authority, certificate, key] = [authority, certificate, key].map(|pem| STANDARD.encode(pem));
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: lab
  cluster:
    server: https://{server}:6443
    certificate-authority-data: {authority}
users:
- name: {user}
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
contexts:
- name: {user}@lab
  context:
    cluster: lab
    user: {user}
current-context: {user}@lab
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_carries_its_certificates_and_chooses_its_context() {
        let text = kubeconfig("alice", "198.18.10.1", "CA", "CERT", "KEY");
        assert!(text.contains("server: https://198.18.10.1:6443"));
        assert!(text.contains(&format!("client-key-data: {}", STANDARD.encode("KEY"))));
        assert!(text.contains("current-context: alice@lab"));
    }
}
