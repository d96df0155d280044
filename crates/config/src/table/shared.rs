//! Groups of keys that RabbitMQ has under several prefixes: TLS, sockets, HTTP servers, log outputs.

use super::{Row, ignored, takes};
use crate::kind::Kind::{self, Boolean, Choice, Either, Integer, Ip, Listener, Path, Secret, Text};

pub(super) const VERIFY: Kind = Choice(&["verify_peer", "verify_none"]);
pub(super) const CRL: Kind = Choice(&["true", "false", "peer", "best_effort"]);
/// The authentication and authorization backends that there are, by both of RabbitMQ's names.
pub(super) const BACKEND: Kind = Choice(&[
    "internal",
    "rabbit_auth_backend_internal",
    "internal_loopback",
    "rabbit_auth_backend_internal_loopback",
    "http",
    "rabbit_auth_backend_http",
    "oauth",
    "oauth2",
    "rabbit_auth_backend_oauth2",
    "ldap",
    "rabbit_auth_backend_ldap",
    "cache",
    "rabbit_auth_backend_cache",
]);
pub(super) const BYTE: Kind = Integer { min: 0, max: 255 };
pub(super) const TLS_LOG_LEVEL: Kind =
    Choice(&["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"]);

/// What every client or server with TLS has.
pub(super) const TLS: &[Row] = &[
    ignored("verify", VERIFY, "whether the peer's certificate is checked"),
    ignored("cacertfile", Path, "certificates that are trusted"),
    ignored("cacerts.$name", Secret, "a certificate that is trusted, in place"),
    ignored("certfile", Path, "own certificate"),
    ignored("cert", Secret, "own certificate, in place"),
    ignored("keyfile", Path, "own private key"),
    ignored("key.RSAPrivateKey", Secret, "own private key, in place"),
    ignored("key.DSAPrivateKey", Secret, "own private key, in place"),
    ignored("key.PrivateKeyInfo", Secret, "own private key, in place"),
    ignored("password", Secret, "password of the private key"),
    ignored("crl_check", CRL, "whether revocation is checked"),
    ignored("depth", BYTE, "longest chain of certificates"),
    ignored("log_alert", Boolean, "log TLS alerts"),
    ignored("psk_identity", Text, "identity of the pre-shared key"),
    ignored("reuse_sessions", Boolean, "whether TLS sessions are reused"),
    ignored("secure_renegotiate", Boolean, "only renegotiate as RFC 5746 says"),
    ignored("versions.$version", Text, "a TLS version that is allowed"),
];

/// What a client takes.
pub(super) const TLS_CLIENT_FILES: &[Row] = &[
    takes("verify", VERIFY, "verify_peer", "whether the server's certificate is checked"),
    takes("cacertfile", Path, "", "certificates that are trusted; the system's when none are given"),
    takes("certfile", Path, "", "own certificate"),
    takes("keyfile", Path, "", "own private key"),
];

/// The same for a client whose certificates have an effect.
pub(super) const TLS_CLIENT: &[Row] = &[
    ignored("cacerts.$name", Secret, "a certificate that is trusted, in place"),
    ignored("cert", Secret, "own certificate, in place"),
    ignored("key.RSAPrivateKey", Secret, "own private key, in place"),
    ignored("key.DSAPrivateKey", Secret, "own private key, in place"),
    ignored("key.PrivateKeyInfo", Secret, "own private key, in place"),
    ignored("password", Secret, "password of the private key"),
    ignored("crl_check", CRL, "whether revocation is checked"),
    ignored("depth", BYTE, "longest chain of certificates"),
    ignored("log_alert", Boolean, "log TLS alerts"),
    ignored("psk_identity", Text, "identity of the pre-shared key"),
    ignored("reuse_sessions", Boolean, "whether TLS sessions are reused"),
    ignored("secure_renegotiate", Boolean, "only renegotiate as RFC 5746 says"),
    ignored("versions.$version", Text, "a TLS version that is allowed"),
];

/// What most of them have.
pub(super) const TLS_SERVER: &[Row] = &[
    ignored("fail_if_no_peer_cert", Boolean, "refuse a peer without a certificate"),
    ignored("dh", Secret, "Diffie-Hellman parameters, in place"),
    ignored("dhfile", Path, "Diffie-Hellman parameters"),
];

/// What those have that RabbitMQ lets choose.
pub(super) const TLS_CIPHERS: &[Row] = &[ignored("ciphers.$cipher", Text, "a cipher suite that is allowed")];

/// What servers have that decide between themselves and the client.
pub(super) const TLS_PREFERENCES: &[Row] = &[
    ignored("client_renegotiation", Boolean, "let clients renegotiate"),
    ignored("honor_cipher_order", Boolean, "prefer the server's order of cipher suites"),
    ignored("honor_ecc_order", Boolean, "prefer the server's order of curves"),
];

/// What clients have.
pub(super) const TLS_SERVER_NAME: &[Row] =
    &[ignored("sni", Either(&["none"], &Text), "server name sent in the handshake")];

/// TLS of an HTTP or WebSocket listener.
pub(super) const HTTPS: &[Row] = &[
    ignored("certfile", Path, "own certificate"),
    ignored("keyfile", Path, "own private key"),
    ignored("cacertfile", Path, "certificates that are trusted"),
    ignored("password", Secret, "password of the private key"),
    ignored("client_renegotiation", Boolean, "let clients renegotiate"),
    ignored("honor_cipher_order", Boolean, "prefer the server's order of cipher suites"),
    ignored("honor_ecc_order", Boolean, "prefer the server's order of curves"),
    ignored("reuse_sessions", Boolean, "whether TLS sessions are reused"),
    ignored("secure_renegotiate", Boolean, "only renegotiate as RFC 5746 says"),
    ignored("depth", BYTE, "longest chain of certificates"),
    ignored("versions.$version", Text, "a TLS version that is allowed"),
    ignored("ciphers.$cipher", Text, "a cipher suite that is allowed"),
    ignored("backlog", Kind::ANY_INTEGER, "length of the accept queue"),
];

/// Where an HTTP or WebSocket server listens.
pub(super) const LISTENER: &[Row] =
    &[ignored("port", Kind::PORT, "port of the listener"), ignored("ip", Ip, "address of the listener")];

/// How many may connect.
pub(super) const CONNECTION_LIMIT: &[Row] = &[ignored("max_connections", Kind::LIMIT, "connections accepted at once")];

/// A protocol over WebSocket.
pub(super) const WEB_SOCKET: &[Row] = &[
    ignored("num_acceptors.tcp", Kind::ANY_INTEGER, "processes that accept connections"),
    ignored("num_acceptors.ssl", Kind::ANY_INTEGER, "processes that accept TLS connections"),
    ignored("proxy_protocol", Boolean, "expect the PROXY protocol"),
    ignored("allow_origins", Choice(&["none"]), "no other origin may connect"),
    ignored("allow_origins.$name", Text, "an origin that may connect"),
    ignored("hsts.policy", Text, "Strict-Transport-Security header"),
    ignored("ssl.listener", Either(&["none"], &Listener), "WebSocket listener with TLS"),
    ignored("ssl.crl_check", CRL, "whether revocation is checked"),
    ignored("ws_opts.compress", Boolean, "compress frames"),
    ignored("ws_opts.max_frame_size", Kind::NON_NEGATIVE, "largest frame"),
    ignored("ws_opts.idle_timeout", Kind::NON_NEGATIVE, "milliseconds a connection may be idle"),
    ignored("cowboy_opts.max_empty_lines", Kind::ANY_INTEGER, "empty lines before a request"),
    ignored("cowboy_opts.max_header_name_length", Kind::ANY_INTEGER, "longest name of a header"),
    ignored("cowboy_opts.max_header_value_length", Kind::ANY_INTEGER, "longest value of a header"),
    ignored("cowboy_opts.max_headers", Kind::ANY_INTEGER, "headers of a request"),
    ignored("cowboy_opts.max_keepalive", Kind::ANY_INTEGER, "requests per connection"),
    ignored("cowboy_opts.max_request_line_length", Kind::ANY_INTEGER, "longest request line"),
    ignored("cowboy_opts.timeout", Kind::ANY_INTEGER, "milliseconds a connection may be idle"),
    ignored("cowboy_opts.idle_timeout", Kind::ANY_INTEGER, "milliseconds a connection may be idle"),
];

/// Socket options that have an effect for AMQP listeners.
pub(super) const SOCKET_OPTIONS: &[Row] = &[
    ignored("backlog", Kind::ANY_INTEGER, "length of the accept queue"),
    ignored("nodelay", Boolean, "TCP_NODELAY on accepted sockets"),
    ignored("keepalive", Boolean, "SO_KEEPALIVE on accepted sockets"),
    ignored("sndbuf", Kind::ANY_INTEGER, "SO_SNDBUF of accepted sockets"),
    ignored("recbuf", Kind::ANY_INTEGER, "SO_RCVBUF of accepted sockets"),
];

/// Socket options that have none.
pub(super) const MORE_SOCKET_OPTIONS: &[Row] = &[
    ignored("buffer", Kind::ANY_INTEGER, "user-level buffer of a socket"),
    ignored("delay_send", Boolean, "collect writes before sending"),
    ignored("dontroute", Boolean, "SO_DONTROUTE on accepted sockets"),
    ignored("exit_on_close", Boolean, "how the runtime closes sockets"),
    ignored("fd", Kind::ANY_INTEGER, "an inherited socket to listen on"),
    ignored("high_msgq_watermark", Kind::ANY_INTEGER, "when the runtime's socket queue counts as busy"),
    ignored("high_watermark", Kind::ANY_INTEGER, "when a socket's send queue counts as busy"),
    ignored("low_msgq_watermark", Kind::ANY_INTEGER, "when the runtime's socket queue counts as free"),
    ignored("low_watermark", Kind::ANY_INTEGER, "when a socket's send queue counts as free"),
    ignored("port", Kind::PORT, "port of a listener without one"),
    ignored("send_timeout_close", Boolean, "close the socket when a write times out, as always here"),
];

/// More of them, of protocols that do not exist here.
pub(super) const OTHER_SOCKET_OPTIONS: &[Row] = &[
    ignored("priority", Kind::ANY_INTEGER, "SO_PRIORITY of accepted sockets"),
    ignored("send_timeout", Kind::ANY_INTEGER, "milliseconds a write may take"),
    ignored("tos", Kind::ANY_INTEGER, "IP_TOS of accepted sockets"),
    ignored("linger.on", Boolean, "SO_LINGER on accepted sockets"),
    ignored("linger.timeout", Kind::NON_NEGATIVE, "seconds of SO_LINGER"),
];
