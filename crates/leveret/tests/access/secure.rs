//! Servers with TLS, with an authority of their own.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tls::rustls::pki_types::pem::PemObject;
use tls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tls::rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, server::WebPkiClientVerifier};

/// What a server with TLS has, which asks clients for certificates if it is to, and what clients need to know of it.
pub struct Secure {
    pub config: Arc<ServerConfig>,
    directory: tempfile::TempDir,
}

impl Secure {
    pub fn new(asks: bool) -> Secure {
        let directory = tempfile::tempdir().unwrap();
        let mut of_authority = CertificateParams::default();
        of_authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(of_authority, KeyPair::generate().unwrap()).unwrap();
        let issue = |names: Vec<String>| {
            let key = KeyPair::generate().unwrap();
            (CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap().pem(), key.serialize_pem())
        };
        let (certificate, key) = issue(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]);
        let (client, client_key) = issue(vec!["client".to_owned()]);
        for (name, text) in [("ca.pem", &authority.pem()), ("client.pem", &client), ("client.key", &client_key)] {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let provider = Arc::new(tls::rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
        let builder = if asks {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
            builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap(),
            )
        } else {
            builder.with_no_client_auth()
        };
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let config = builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap();
        Secure { config: Arc::new(config), directory }
    }

    /// Answers every request with the same; its address.
    pub fn serve(&self, answer: String) -> String {
        let config = self.config.clone();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
                let mut request = [0; 8192];
                // Who does not like the certificate, or shows none, goes before there is a request.
                if stream.read(&mut request).is_ok_and(|length| length > 0) {
                    let head =
                        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", answer.len());
                    let _ = stream.write_all(format!("{head}{answer}").as_bytes());
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                }
            }
        });
        format!("https://{address}/")
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}
