//! `/api/policies` and `/api/operator-policies`.

use super::{ask, required, status};
use crate::api::{Administrator, Api};
use crate::error::ApiError;
use crate::json;
use crate::service::Shared;
use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use broker::AdminCommand;
use metadata::{PolicyDefinition, PolicyKind};
use serde_json::{Map, Value, json};

type List = Result<Json<Vec<Value>>, ApiError>;
type One = Result<Json<Value>, ApiError>;
type Names = Path<(String, String)>;

fn show(policy: &PolicyDefinition) -> Value {
    json!({
        "vhost": policy.vhost,
        "name": policy.name,
        "pattern": policy.pattern,
        "apply-to": policy.apply_to.as_str(),
        "definition": json::table(&policy.definition),
        "priority": policy.priority,
    })
}

async fn policies(shared: &Shared, kind: PolicyKind, vhost: Option<String>) -> List {
    let policies = ask!(shared, AdminCommand::ListPolicies { kind, vhost }, Policies);
    Ok(Json(policies.iter().map(show).collect()))
}

async fn policy(shared: &Shared, kind: PolicyKind, vhost: String, name: String) -> One {
    let policies = ask!(shared, AdminCommand::ListPolicies { kind, vhost: Some(vhost) }, Policies);
    policies.iter().find(|policy| policy.name == name).map(|policy| Json(show(policy))).ok_or_else(ApiError::not_found)
}

async fn set(
    shared: &Shared,
    kind: PolicyKind,
    vhost: String,
    name: String,
    bytes: &Bytes,
) -> Result<StatusCode, ApiError> {
    let mut request = required(bytes, &["pattern", "definition"])?;
    let mut take = |key: &str, default: Value| request.remove(key).unwrap_or(default);
    let terms = Map::from_iter([
        ("pattern".to_owned(), take("pattern", Value::Null)),
        ("definition".to_owned(), take("definition", Value::Null)),
        ("priority".to_owned(), take("priority", 0.into())),
        ("apply-to".to_owned(), take("apply-to", "all".into())),
    ]);
    let terms = json::to_field(&Value::Object(terms));
    let command = AdminCommand::SetPolicy { kind, vhost, name, terms };
    Ok(status(&shared.execute(command).await.map_err(ApiError::or_no_vhost)?))
}

async fn clear(shared: &Shared, kind: PolicyKind, vhost: String, name: String) -> Result<StatusCode, ApiError> {
    Ok(status(&shared.execute(AdminCommand::ClearPolicy { kind, vhost, name }).await?))
}

pub(super) async fn list(api: Api<Administrator>) -> List {
    policies(&api, PolicyKind::User, None).await
}

pub(super) async fn of_vhost(api: Api<Administrator>, Path(vhost): Path<String>) -> List {
    policies(&api, PolicyKind::User, Some(vhost)).await
}

pub(super) async fn one(api: Api<Administrator>, Path((vhost, name)): Names) -> One {
    policy(&api, PolicyKind::User, vhost, name).await
}

pub(super) async fn put(
    api: Api<Administrator>,
    Path((vhost, name)): Names,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    set(&api, PolicyKind::User, vhost, name, &bytes).await
}

pub(super) async fn delete(api: Api<Administrator>, Path((vhost, name)): Names) -> Result<StatusCode, ApiError> {
    clear(&api, PolicyKind::User, vhost, name).await
}

pub(super) async fn operator_list(api: Api<Administrator>) -> List {
    policies(&api, PolicyKind::Operator, None).await
}

pub(super) async fn operator_of_vhost(api: Api<Administrator>, Path(vhost): Path<String>) -> List {
    policies(&api, PolicyKind::Operator, Some(vhost)).await
}

pub(super) async fn operator_one(api: Api<Administrator>, Path((vhost, name)): Names) -> One {
    policy(&api, PolicyKind::Operator, vhost, name).await
}

pub(super) async fn operator_put(
    api: Api<Administrator>,
    Path((vhost, name)): Names,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    set(&api, PolicyKind::Operator, vhost, name, &bytes).await
}

pub(super) async fn operator_delete(
    api: Api<Administrator>,
    Path((vhost, name)): Names,
) -> Result<StatusCode, ApiError> {
    clear(&api, PolicyKind::Operator, vhost, name).await
}
