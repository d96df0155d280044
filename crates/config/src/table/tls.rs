//! TLS of the AMQP listeners, beside what every TLS endpoint has.

use super::shared::TLS_LOG_LEVEL;
use super::{Row, ignored};
use crate::kind::Kind::{self, Boolean, Choice, Text};

pub(super) const KEYS: &[Row] = &[
    ignored("ssl_options", Choice(&["none"]), "no TLS options at all"),
    ignored("ssl_options.log_level", TLS_LOG_LEVEL, "what TLS logs"),
    ignored("ssl_options.crl_sources.$index", Choice(&["http", "dir"]), "where revocation lists come from"),
    ignored("ssl_options.crl_sources.$index.timeout", Kind::ANY_INTEGER, "milliseconds a download may take"),
    ignored("ssl_options.crl_sources.$index.path", Text, "directory of revocation lists"),
    ignored("ssl_options.bypass_pem_cache", Boolean, "read files at every handshake"),
];
