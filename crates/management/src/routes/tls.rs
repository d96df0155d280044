//! Certificates and when they end: `/api/health/checks/certificate-expiration`, `/api/leveret/tls`; and
//! `/api/leveret/listeners/suspension`.

use super::overview::listeners;
use crate::api::{Administrator, Api, ManagementUser, Monitor};
use crate::error::ApiError;
use crate::shared::Shared;
use crate::statistics;
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use tls::{Certificate, Endpoint, Source};

const DAY_S: i64 = 86_400;

/// Seconds of a span; the error is RabbitMQ's.
fn span_s(within: &str, unit: &str) -> Result<i64, ApiError> {
    let count: i64 = within.parse().map_err(|_| ApiError::bad_request("Invalid expiration value."))?;
    let unit_s = match unit.to_lowercase().as_str() {
        "days" => DAY_S,
        "weeks" => 7 * DAY_S,
        "months" => 30 * DAY_S,
        "years" => 365 * DAY_S,
        _ => {
            let units = "Time unit not recognised. Supported units: days, weeks, months, years.";
            return Err(ApiError::bad_request(units));
        }
    };
    Ok(count.saturating_mul(unit_s))
}

fn now_s() -> i64 {
    i64::try_from(statistics::now_ms() / 1000).unwrap_or(i64::MAX)
}

/// The TLS of listeners by their protocols in RabbitMQ's words.
fn endpoint_of(shared: &Shared, protocol: &str) -> Option<Arc<Endpoint>> {
    let https = match protocol {
        "https" => &shared.http().https,
        "https/prometheus" => &shared.http().prometheus_https,
        "amqp/ssl" => return shared.amqp_endpoint(),
        _ => return None,
    };
    https.as_ref().map(|https| https.endpoint.clone())
}

/// The end of its validity as RabbitMQ prints it here, as `2027-01-01 00:00:00`.
fn last_moment(certificate: &Certificate) -> String {
    let (_, end) = certificate.validity.split_once(" - ").unwrap_or_default();
    end.trim_end_matches('Z').replace('T', " ")
}

/// Ends of those that end before `end_s`, as RabbitMQ prints them.
fn ends(certificates: &[Source], is_own: bool, end_s: i64) -> Vec<Value> {
    let now_s = now_s();
    let of_file = certificates.iter().filter(|source| source.key.ends_with(".cacertfile") != is_own);
    let show = |source: &Source| {
        let certificate = &source.certificate;
        if certificate.not_before_s > now_s {
            return Some(json!({ "error": "Certificate is not yet valid" }));
        }
        (certificate.not_after_s < end_s).then(|| last_moment(certificate).into())
    };
    of_file.filter_map(show).collect()
}

/// RabbitMQ looks at the certificates that listeners trust, too.
pub(super) async fn expiration(
    api: Api<ManagementUser>,
    Path((within, unit)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let end_s = now_s().saturating_add(span_s(&within, &unit)?);
    let mut expired = Vec::new();
    for (protocol, address) in listeners(&api) {
        let Some(endpoint) = endpoint_of(&api, protocol) else { continue };
        let certificates = endpoint.certificates();
        let (own, trusted) = (ends(&certificates, true, end_s), ends(&certificates, false, end_s));
        if own.is_empty() && trusted.is_empty() {
            continue;
        }
        let options = endpoint.options();
        let file = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
        expired.push(json!({
            "node": api.node_name(),
            "protocol": protocol,
            "interface": address.ip().to_canonical(),
            "port": address.port(),
            "certfile": file(&options.certfile),
            "cacertfile": file(&options.cacertfile),
            "certfile_expires_on": own,
            "cacertfile_expires_on": trusted,
        }));
    }
    if expired.is_empty() {
        return Ok(Json(json!({ "status": "ok" })).into_response());
    }
    let body = json!({ "status": "failed", "reason": "Certificates expiring", "expired": expired });
    Ok((StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response())
}

fn show_certificate(source: &Source) -> Value {
    let certificate = &source.certificate;
    json!({
        "key": source.key,
        "file": source.path.display().to_string(),
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "serial_number": certificate.serial,
        "validity": certificate.validity,
        "days_left": (certificate.not_after_s - now_s()).div_euclid(DAY_S),
    })
}

/// What TLS each listener has.
pub(super) async fn show(api: Api<Monitor>) -> Json<Value> {
    let show = |(protocol, address): (&'static str, std::net::SocketAddr)| {
        let endpoint = endpoint_of(&api, protocol)?;
        let options = endpoint.options();
        Some(json!({
            "protocol": protocol,
            "ip_address": address.ip().to_canonical(),
            "port": address.port(),
            "options": options.prefix,
            "versions": endpoint.versions(),
            "ciphers": endpoint.ciphers(),
            "verify": if options.verify_peer { "verify_peer" } else { "verify_none" },
            "fail_if_no_peer_cert": options.fail_if_no_peer_cert,
            "certificates": endpoint.certificates().iter().map(show_certificate).collect::<Vec<_>>(),
        }))
    };
    Json(listeners(&api).into_iter().filter_map(show).collect())
}

pub(super) async fn suspend(api: Api<Administrator>) -> Result<StatusCode, ApiError> {
    api.set_listening(false).await.map(|()| StatusCode::NO_CONTENT)
}

pub(super) async fn resume(api: Api<Administrator>) -> Result<StatusCode, ApiError> {
    api.set_listening(true).await.map(|()| StatusCode::NO_CONTENT)
}
