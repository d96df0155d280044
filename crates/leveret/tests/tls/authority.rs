//! Certificates made for a test.

use crate::server_files;
use crate::tunnel::Identity;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::SystemTime;

/// Who signs certificates.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// The certificates between it and the root, for clients to show.
    chain: Vec<String>,
}

/// What a client's certificate says.
#[derive(Default)]
pub struct Subject {
    pub parts: Vec<(DnType, &'static str)>,
    pub names: Vec<SanType>,
    /// Ended long ago.
    pub has_expired: bool,
    pub serial: Option<u64>,
    /// Its end, where that is soon.
    pub ends: Option<SystemTime>,
}

impl Subject {
    pub fn named(name: &'static str) -> Subject {
        Subject { parts: vec![(DnType::CommonName, name)], ..Subject::default() }
    }
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Authority {
    /// A root.
    pub fn new(name: &str) -> Authority {
        let issuer = CertifiedIssuer::self_signed(authority_params(name), KeyPair::generate().unwrap()).unwrap();
        Authority { issuer, chain: Vec::new() }
    }

    /// An authority below this one.
    pub fn intermediate(&self, name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::signed_by(authority_params(name), key, &self.issuer).unwrap();
        let chain = [vec![issuer.pem()], self.chain.clone()].concat();
        Authority { issuer, chain }
    }

    /// Its own certificate.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A client's certificate with the chain behind it, and its key.
    pub fn client(&self, subject: &Subject) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in &subject.parts {
            params.distinguished_name.push(kind.clone(), *value);
        }
        params.subject_alt_names.clone_from(&subject.names);
        params.serial_number = subject.serial.map(SerialNumber::from);
        if subject.has_expired {
            (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
        }
        if let Some(end) = subject.ends {
            params.not_after = end.into();
        }
        self.issue(&params)
    }

    fn issue(&self, params: &CertificateParams) -> Identity {
        self.issue_for(params, KeyPair::generate().unwrap())
    }

    fn issue_for(&self, params: &CertificateParams, key: KeyPair) -> Identity {
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let chain = [vec![certificate.pem()], self.chain.clone()].concat().join("");
        Identity { chain, key: key.serialize_pem() }
    }

    /// A server's certificate, which names the address that tests connect to.
    pub fn server(&self, name: &str) -> Identity {
        self.server_of(name, KeyPair::generate().unwrap())
    }

    /// The same for a key that is there.
    pub fn server_of(&self, name: &str, key: KeyPair) -> Identity {
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        self.issue_for(&params, key)
    }

    /// Writes the files of a server.
    pub fn write_server(&self, directory: &Path) {
        self.write(directory, &self.server("server"));
    }

    /// Writes these.
    pub fn write(&self, directory: &Path, identity: &Identity) {
        let (certificate, key, authority) = server_files(directory);
        std::fs::write(certificate, &identity.chain).unwrap();
        std::fs::write(&key, &identity.key).unwrap();
        std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(authority, self.pem()).unwrap();
    }

    /// A list that revokes certificates by their serial numbers.
    pub fn revocation_list(&self, serials: &[u64]) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(2090, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}
