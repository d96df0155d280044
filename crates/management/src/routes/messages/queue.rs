//! `GET /api/queues/{vhost}/{queue}/diagnosis` and `PATCH /api/queues/{vhost}/{queue}/arguments`.

use super::{Refusal, check_connects, check_queue_exists, integer};
use crate::api::{Api, VhostUser, VhostVisible};
use crate::error::ApiError;
use crate::json;
use crate::request::body;
use auth::{Permission, Resource};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use broker::{AdminCommand, AdminReply, Finding};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::time::Duration;

/// How long a queue is watched when the query does not say, and at most, in ms.
const SAMPLE_MS: i64 = 500;
const LONGEST_SAMPLE_MS: i64 = 5000;

pub(super) async fn diagnosis(
    api: Api<VhostVisible>,
    Path((vhost, name)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, Refusal> {
    check_queue_exists(&api, &vhost, &name)?;
    let sample_ms = match query.get("sample_ms") {
        Some(text) => integer(&Value::from(text.as_str()))?.clamp(0, LONGEST_SAMPLE_MS),
        None => SAMPLE_MS,
    };
    let sample = Duration::from_millis(sample_ms.unsigned_abs());
    let since = api.broker()?.mark_queue(&vhost, &name)?;
    tokio::time::sleep(sample).await;
    let command = AdminCommand::Diagnose { vhost: vhost.clone(), name: name.clone(), since };
    match api.execute(command).await? {
        AdminReply::Findings(findings) => {
            let findings: Vec<Value> = findings.iter().map(show).collect();
            Ok(Json(json!({ "vhost": vhost, "queue": name, "findings": findings })))
        }
        _ => Err(ApiError::unexpected_reply().into()),
    }
}

fn show(finding: &Finding) -> Value {
    let figures: Map<String, Value> =
        finding.figures.iter().map(|(name, figure)| ((*name).to_owned(), (*figure).into())).collect();
    let names: Map<String, Value> =
        finding.names.iter().map(|(what, name)| ((*what).to_owned(), name.clone().into())).collect();
    let severity = if finding.is_problem { "problem" } else { "info" };
    json!({ "code": finding.code, "severity": severity, "text": finding.text, "figures": figures, "names": names })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    #[serde(default)]
    set: Map<String, Value>,
    #[serde(default)]
    unset: Vec<String>,
}

/// Asks for what declaring the queue with these arguments asks for over AMQP.
pub(super) async fn patch_arguments(
    api: Api<VhostUser>,
    Path((vhost, name)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<StatusCode, Refusal> {
    check_queue_exists(&api, &vhost, &name)?;
    check_connects(&api, &vhost)?;
    let Arguments { set, unset } = body(&bytes)?;
    let queue = Resource::queue(&vhost, &name);
    api.check(queue, Permission::Configure).await?;
    if let Some(exchange) = set.get("x-dead-letter-exchange").and_then(Value::as_str) {
        api.check(queue, Permission::Read).await?;
        api.check(Resource::exchange(&vhost, exchange), Permission::Write).await?;
    }
    let set = json::to_table(&set);
    api.execute(AdminCommand::ChangeArguments { vhost, name, set, unset }).await?;
    Ok(StatusCode::NO_CONTENT)
}
