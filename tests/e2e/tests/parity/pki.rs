//! Certificates for one run of the tests.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

/// An authority, and what it signed.
pub(crate) struct Pki {
    pub(crate) authority: CertifiedIssuer<'static, KeyPair>,
    pub(crate) server: Certificate,
    pub(crate) server_key: KeyPair,
    pub(crate) client: Certificate,
    pub(crate) client_key: KeyPair,
    /// An authority that signed nothing.
    pub(crate) stranger: CertifiedIssuer<'static, KeyPair>,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let authority = authority("parity");
        let (server, server_key) = leaf(
            &authority,
            &["localhost", "127.0.0.1", "kubernetes.example"],
            ExtendedKeyUsagePurpose::ServerAuth,
        );
        let (client, client_key) = leaf(&authority, &["jane"], ExtendedKeyUsagePurpose::ClientAuth);
        Self {
            authority,
            server,
            server_key,
            client,
            client_key,
            stranger: self::authority("stranger"),
        }
    }
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn leaf(
    authority: &CertifiedIssuer<'static, KeyPair>,
    names: &[&str],
    usage: ExtendedKeyUsagePurpose,
) -> (Certificate, KeyPair) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, authority).unwrap(), key)
}
