//! Options and files that are wrong, each told in one line that names the key and the file.

use crate::authority::{Authority, Subject};
use crate::tunnel::handshake;
use crate::{BINARY, Fixture, server_files, tls_settings};
use rcgen::KeyPair;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tls::rustls::crypto::aws_lc_rs;
use tls::rustls::pki_types::CertificateDer;
use tls::rustls::pki_types::pem::PemObject;
use tls::rustls::{ClientConfig, RootCertStore};

/// What a broker says on standard error that does not start with these settings.
fn refusal(directory: &Path, settings: &[(&str, &str)]) -> String {
    let mut command = Command::new(BINARY);
    command.arg("--data-dir").arg(directory.join("data"));
    command.args(["--set", "listeners.tcp=none", "--set", "listeners.ssl.default=127.0.0.1:5671"]);
    command.args(["--set", "leveret.management=false", "--set", "leveret.prometheus=false"]);
    for (key, value) in tls_settings("ssl_options", directory) {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    for (key, value) in settings {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(!directory.join("data").exists(), "nothing is made");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(errors.lines().count(), 1, "{errors}");
    errors.trim_end().replace(&directory.display().to_string(), "DIR")
}

/// Changes the files of a server, and checks the line.
#[track_caller]
fn check(change: impl FnOnce(&Path), settings: &[(&str, &str)], expected: &str) {
    let directory = tempfile::tempdir().unwrap();
    Authority::new("Test Authority").write_server(directory.path());
    change(directory.path());
    let line = refusal(directory.path(), settings);
    assert!(line.starts_with(&format!("error: {expected}")), "{line}");
}

#[test]
fn missing_files_are_named() {
    for (file, key) in [("server.pem", "certfile"), ("server.key", "keyfile"), ("ca.pem", "cacertfile")] {
        check(
            |directory| std::fs::remove_file(directory.join(file)).unwrap(),
            &[],
            &format!("ssl_options.{key}: DIR/{file} cannot be read: no such file"),
        );
    }
}

#[test]
fn broken_files_are_named() {
    let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (file, content, expected) in [
        ("server.pem", "x", "ssl_options.certfile: DIR/server.pem has no certificate in PEM"),
        ("server.key", "x", "ssl_options.keyfile: DIR/server.key has no private key in PEM"),
        ("server.pem", bad, "ssl_options.certfile: DIR/server.pem has a certificate that cannot be read"),
        (
            "server.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n",
            "ssl_options.certfile: DIR/server.pem is not PEM: a section has no end",
        ),
    ] {
        check(|directory| std::fs::write(directory.join(file), content).unwrap(), &[], expected);
    }
}

/// A device has no end, and a pipe keeps whoever opens it waiting.
#[test]
fn what_is_no_file_is_not_read() {
    for (key, path) in [("keyfile", "/dev/zero"), ("certfile", "/dev/zero"), ("cacertfile", "/dev")] {
        let key = format!("ssl_options.{key}");
        check(|_| {}, &[(&key, path)], &format!("{key}: {path} is not a file"));
    }
}

/// A key of the server's with the password `secret`, as OpenSSL 3 writes it, and the certificate beside it.
fn write_encrypted(directory: &Path, form: &str) {
    write_encrypted_of(&Authority::new("Test Authority"), directory, form);
}

/// The same of an authority that is there.
pub fn write_encrypted_of(authority: &Authority, directory: &Path, form: &str) {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tls/src/encrypted/keys");
    let key = KeyPair::from_pem(&std::fs::read_to_string(keys.join("plain.pem")).unwrap()).unwrap();
    let (certificate, key_file, _) = server_files(directory);
    std::fs::write(directory.join("ca.pem"), authority.pem()).unwrap();
    std::fs::write(certificate, authority.server_of("encrypted", key).chain).unwrap();
    std::fs::write(&key_file, std::fs::read_to_string(keys.join(form)).unwrap()).unwrap();
    std::fs::set_permissions(key_file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_key_with_a_password_is_used() {
    for form in ["p8-256.pem", "trad-256.pem"] {
        let fixture = Fixture::start_with(&[("ssl_options.password", "secret")], |_, directory| {
            write_encrypted(directory, form);
            Vec::new()
        });
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(fixture.directory.path().join("ca.pem")).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        assert!(handshake(fixture.tls, Arc::new(config)).is_ok(), "{form}");
        let shown = fixture.broker.http("GET", "/api/leveret/configuration", &[], "").unwrap();
        assert!(shown.body.contains("ssl_options.password") && !shown.body.contains("secret\""), "{}", shown.body);
    }
}

#[test]
fn a_password_that_is_missing_or_wrong_is_one_line() {
    let encrypted = |directory: &Path| write_encrypted(directory, "p8-256.pem");
    let file = "ssl_options.keyfile: DIR/server.key";
    check(encrypted, &[], &format!("{file} is encrypted, and ssl_options.password is not given"));
    let wrong = [("ssl_options.password", "Secret")];
    check(encrypted, &wrong, &format!("{file} cannot be decrypted: ssl_options.password is not its password"));
    check(
        |directory| write_encrypted(directory, "trad-des3.pem"),
        &[("ssl_options.password", "secret")],
        &format!("{file} is encrypted in a way that is not supported; convert it with: openssl pkcs8 -topk8"),
    );
}

#[test]
fn a_key_of_another_certificate_is_named() {
    let other = Authority::new("Other").server("other").key;
    check(
        |directory| std::fs::write(server_files(directory).1, other).unwrap(),
        &[],
        "ssl_options.keyfile: DIR/server.key is not the key of the certificate in DIR/server.pem",
    );
}

#[test]
fn options_that_cannot_be_are_refused() {
    let same = |_: &Path| {};
    check(
        same,
        &[("ssl_options.versions.1", "tlsv1.1")],
        "ssl_options.versions: tlsv1.1 is not secure and not supported",
    );
    check(same, &[("ssl_options.versions.1", "ssl9")], "ssl_options.versions: ssl9 is no version");
    check(
        same,
        &[("ssl_options.ciphers.1", "RC4-MD5")],
        "ssl_options.ciphers: none of RC4-MD5 is supported; there are TLS_AES_256_GCM_SHA384",
    );
    check(
        same,
        &[("ssl_options.fail_if_no_peer_cert", "true")],
        "ssl_options.fail_if_no_peer_cert: has no meaning without ssl_options.verify = verify_peer",
    );
    check(
        same,
        &[("ssl_options.verify", "verify_peer"), ("ssl_options.crl_check", "peer")],
        "ssl_options.crl_sources: no revocation list found",
    );
}

#[test]
fn what_does_not_keep_it_from_starting_is_in_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new("Test Authority");
    authority.write(directory.path(), &authority.client(&Subject { has_expired: true, ..Subject::named("late") }));
    let key = server_files(directory.path()).1;
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let settings = tls_settings("ssl_options", directory.path());
    let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let fixture = Fixture::start(&settings);
    assert!(fixture.broker.has_logged("the certificate of CN=late has expired (2001-01-01T00:00:00Z - 2002-01-01"));
    assert!(fixture.broker.has_logged("can be read by everybody on this machine"));
}
