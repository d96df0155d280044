//! The tools over HTTPS, and what they say of TLS.

use crate::{BINARY, Fixture};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use testkit::free_address;

/// A broker with TLS for AMQP and HTTP, and the file of its authority.
struct Secure {
    fixture: Fixture,
    directory: tempfile::TempDir,
    https: SocketAddr,
    amqps: SocketAddr,
}

/// Writes an authority, and a server's certificate for these names that ends in a year.
fn write(directory: &Path, names: &[&str], last_year: i32) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.push(DnType::CommonName, "server");
    params.not_after = date_time_ymd(last_year, 1, 1);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    let put = |name: &str, text: String| std::fs::write(directory.join(name), text).expect("a file");
    put("ca.pem", issuer.pem());
    put("server.pem", certificate.pem());
    put("server.key", key.serialize_pem());
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(directory.join("server.key"), private).expect("the right");
}

impl Secure {
    fn start(names: &[&str], last_year: i32) -> Secure {
        let directory = tempfile::tempdir().expect("a directory");
        write(directory.path(), names, last_year);
        let (https, amqps) = (free_address().expect("a port"), free_address().expect("a port"));
        let file = |name: &str| directory.path().join(name).display().to_string();
        let mut settings = vec![
            ("listeners.ssl.default".to_owned(), amqps.to_string()),
            ("management.ssl.ip".to_owned(), https.ip().to_string()),
            ("management.ssl.port".to_owned(), https.port().to_string()),
        ];
        for prefix in ["ssl_options", "management.ssl"] {
            for (key, name) in [("cacertfile", "ca.pem"), ("certfile", "server.pem"), ("keyfile", "server.key")] {
                settings.push((format!("{prefix}.{key}"), file(name)));
            }
        }
        let arguments: Vec<String> =
            settings.iter().flat_map(|(key, value)| ["--set".to_owned(), format!("{key}={value}")]).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let fixture = Fixture::of(testkit::BrokerProcess::start_configured(BINARY, &arguments, &[], true));
        Secure { fixture, directory, https, amqps }
    }

    fn authority(&self) -> String {
        self.directory.path().join("ca.pem").display().to_string()
    }

    /// Runs `rabbitmqctl` for an address, with the authority where it `is_known`.
    fn to(&self, uri: &str, is_known: bool, arguments: &[&str]) -> Output {
        let authority = self.authority();
        let known: &[&str] = if is_known { &["--ca-certificate", &authority] } else { &[] };
        Command::new(&self.fixture.rabbitmqctl)
            .args(["--uri", uri])
            .args(known)
            .args(arguments)
            .env_remove("LEVERET_DATA_DIR")
            .stdin(Stdio::null())
            .output()
            .expect("the command runs")
    }

    /// What is said of an address that is not the one that is meant, as the line of the error and its hint.
    #[track_caller]
    fn refused(&self, uri: &str, is_known: bool) -> String {
        let output = self.to(uri, is_known, &["list_users", "-q", "-t", "20"]);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(69), "{uri}: {errors}");
        assert_eq!(errors.lines().count(), 2, "{uri}: {errors}");
        assert!(output.stdout.is_empty() && errors.contains("\nhint: "), "{uri}: {errors}");
        errors
    }
}

#[test]
fn commands_go_over_https() {
    let secure = Secure::start(&["localhost", "127.0.0.1"], 2090);
    let uri = format!("https://guest:guest@{}", secure.https);
    for (arguments, expected) in [
        (&["-s", "list_users"][..], "guest\t[administrator]\n"),
        (&["-q", "add_user", "u", "p"], ""),
        (&["-s", "list_users"], "guest\t[administrator]\nu\t[]\n"),
        (&["-q", "suspend_listeners"], ""),
        (&["-q", "resume_listeners"], ""),
        (&["-q", "enable_feature_flag", "all"], ""),
        (&["-q", "set_log_level", "debug"], ""),
        (&["-q", "reload"], "Nothing has changed\n"),
    ] {
        let output = secure.to(&uri, true, arguments);
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{arguments:?}: {output:?}");
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
}

#[test]
fn mistaken_schemes_and_ports_are_told_apart() {
    let secure = Secure::start(&["localhost", "127.0.0.1"], 2090);
    let broker = &secure.fixture.broker;
    let (http, amqp) = (broker.management(), broker.address());
    let user = "guest:guest@";
    let (https, amqps) = (secure.https, secure.amqps);
    assert!(secure.refused(&format!("http://{user}{amqp}"), true).contains("it speaks AMQP"));
    assert!(secure.refused(&format!("https://{user}{amqps}"), true).contains("it speaks AMQP"));
    assert!(secure.refused(&format!("https://{user}{http}"), true).contains("it does not speak TLS"));
    assert!(secure.refused(&format!("https://{user}{amqp}"), true).contains("it does not speak TLS"));
    let plain = secure.refused(&format!("http://{user}{https}"), true);
    assert!(plain.contains("it speaks TLS") && plain.contains("write https://"), "{plain}");
    let unknown = secure.refused(&format!("https://{user}{https}"), false);
    assert!(
        unknown.contains("an authority that is not known here") && unknown.contains("--ca-certificate"),
        "{unknown}"
    );
}

#[test]
fn certificates_for_another_name_are_refused() {
    let secure = Secure::start(&["broker.example.com"], 2090);
    let said = secure.refused(&format!("https://guest:guest@{}", secure.https), true);
    assert!(said.contains("for another name"), "{said}");
}

#[test]
fn what_listeners_have_is_shown() {
    let secure = Secure::start(&["localhost", "127.0.0.1"], 2090);
    let diagnostics = |arguments: &[&str]| {
        let output = secure.fixture.tool("rabbitmq-diagnostics", arguments);
        assert!(output.stderr.is_empty(), "{arguments:?}: {output:?}");
        (String::from_utf8(output.stdout).expect("UTF-8"), output.status.code())
    };
    assert_eq!(diagnostics(&["-q", "tls_versions"]), ("tlsv1.3\ntlsv1.2\n".to_owned(), Some(0)));
    let (suites, _) = diagnostics(&["-q", "cipher_suites"]);
    assert!(suites.lines().any(|suite| suite == "TLS_AES_256_GCM_SHA384"), "{suites}");
    assert!(suites.lines().any(|suite| suite == "ECDHE-RSA-AES128-GCM-SHA256"), "{suites}");
    let (certificates, _) = diagnostics(&["-q", "certificates"]);
    assert!(certificates.contains(&format!("listener: amqp/ssl {}", secure.amqps)), "{certificates}");
    assert!(certificates.contains("subject: CN=server") && certificates.contains("issuer: CN=authority"));
    assert!(!certificates.contains("PRIVATE KEY"));
    let passed = "No certificates are expiring within 2 weeks.\n".to_owned();
    assert_eq!(diagnostics(&["-q", "check_certificate_expiration", "--within", "2"]), (passed, Some(0)));
    let ends = secure
        .fixture
        .tool("rabbitmq-diagnostics", &["check_certificate_expiration", "--within", "99", "--unit", "years"]);
    assert_eq!(ends.status.code(), Some(69));
    let errors = String::from_utf8_lossy(&ends.stderr).into_owned();
    assert!(errors.contains("server.pem") && errors.contains("2090-01-01"), "{errors}");
}
