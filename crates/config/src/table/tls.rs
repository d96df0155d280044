//! TLS of the listeners that there are: AMQP, the HTTP API and the metrics.

use super::shared::{BYTE, CRL, TLS_LOG_LEVEL, VERIFY};
use super::{Row, ignored, refused, takes};
use crate::kind::Kind::{self, Boolean, Choice, Integer, Listener, Path, Secret, Text};
use crate::options::CertificateLogin;

pub(super) const KEYS: &[Row] = &[
    takes("listeners.ssl", Choice(&["none"]), "", "no AMQP listener with TLS"),
    takes("listeners.ssl.$name", Listener, "", "an AMQP listener with TLS"),
    takes("ssl_handshake_timeout", Kind::POSITIVE, "5000", "milliseconds a TLS handshake may take"),
    takes(
        "ssl_cert_login_from",
        Choice(CertificateLogin::WORDS),
        "distinguished_name",
        "part of a client's certificate that names the user, with EXTERNAL",
    ),
    takes(
        "ssl_cert_login_san_type",
        Choice(&["dns", "ip", "email", "uri", "other_name"]),
        "dns",
        "kind of alternative name that names the user",
    ),
    takes("ssl_cert_login_san_index", Kind::NON_NEGATIVE, "0", "which alternative name of the kind names the user"),
    takes(
        "proxy_protocol",
        Boolean,
        "false",
        "clients of the AMQP listeners come through a proxy that sends the PROXY protocol",
    ),
    takes(
        "leveret.tls.reload",
        Integer { min: 0, max: 86_400 },
        "60",
        "seconds between looks whether files of certificates have changed; 0 is never",
    ),
    ignored("ssl_options", Choice(&["none"]), "no TLS options at all"),
    ignored("ssl_options.log_level", TLS_LOG_LEVEL, "what TLS logs"),
    takes("ssl_options.crl_check", CRL, "false", "whether revocation lists are asked about clients' certificates"),
    refused(
        "ssl_options.crl_sources.$index",
        Choice(&["dir", "http"]),
        &["dir"],
        "where revocation lists come from; they are not downloaded",
    ),
    ignored("ssl_options.crl_sources.$index.timeout", Kind::ANY_INTEGER, "milliseconds a download may take"),
    takes("ssl_options.crl_sources.$index.path", Path, "", "revocation lists: a file, or a directory of files"),
    takes(
        "management.listener.ssl_opts.crl_check",
        CRL,
        "false",
        "whether revocation lists of ssl_options.crl_sources are asked about the certificates of HTTP clients",
    ),
    ignored("ssl_options.bypass_pem_cache", Boolean, "read files at every handshake"),
];

/// What every listener with TLS takes.
pub(super) const LISTENER: &[Row] = &[
    takes("certfile", Path, "", "own certificate and the chain behind it, in PEM"),
    takes("keyfile", Path, "", "own private key in PEM"),
    takes("password", Secret, "", "password of the private key, where that is encrypted"),
    takes("cacertfile", Path, "", "certificates that are trusted, in PEM"),
    takes("verify", VERIFY, "verify_none", "whether clients are asked for certificates, which are checked then"),
    takes("fail_if_no_peer_cert", Boolean, "false", "refuse a client without a certificate"),
    takes("depth", BYTE, "", "most certificates between a client's and a trusted one"),
    takes(
        "versions.$version",
        Text,
        "",
        "a TLS version that is allowed: tlsv1.2 or tlsv1.3, which are both by default",
    ),
    takes("honor_cipher_order", Boolean, "false", "prefer the order of ciphers here to the client's"),
    takes("reuse_sessions", Boolean, "true", "whether clients may take up sessions"),
];

/// What those take that RabbitMQ lets choose.
pub(super) const CIPHERS: &[Row] =
    &[takes("ciphers.$cipher", Text, "", "a cipher suite that is allowed, by OpenSSL's name or IANA's")];

/// What RabbitMQ has beside, for every listener.
pub(super) const LISTENER_IGNORED: &[Row] = &[
    ignored("honor_ecc_order", Boolean, "prefer the server's order of curves"),
    ignored("client_renegotiation", Boolean, "let clients renegotiate"),
    ignored("secure_renegotiate", Boolean, "only renegotiate as RFC 5746 says"),
];

/// What RabbitMQ has for those whose options are all of Erlang's.
pub(super) const LISTENER_MORE_IGNORED: &[Row] = &[
    ignored("cacerts.$name", Secret, "a certificate that is trusted, in place"),
    ignored("cert", Secret, "own certificate, in place"),
    ignored("key.RSAPrivateKey", Secret, "own private key, in place"),
    ignored("key.DSAPrivateKey", Secret, "own private key, in place"),
    ignored("key.PrivateKeyInfo", Secret, "own private key, in place"),
    ignored("dh", Secret, "Diffie-Hellman parameters, in place"),
    ignored("dhfile", Path, "Diffie-Hellman parameters"),
    ignored("log_alert", Boolean, "log TLS alerts"),
    ignored("psk_identity", Text, "identity of the pre-shared key"),
];
