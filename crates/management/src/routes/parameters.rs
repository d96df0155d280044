//! `/api/parameters` and `/api/global-parameters`.

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
use metadata::{GlobalParameterDefinition, ParameterDefinition};
use serde_json::{Value, json};

type List = Result<Json<Vec<Value>>, ApiError>;
type One = Result<Json<Value>, ApiError>;
type Names = Path<(String, String, String)>;

fn show(parameter: &ParameterDefinition) -> Value {
    json!({
        "value": json::field(&parameter.value),
        "vhost": parameter.vhost,
        "component": parameter.component,
        "name": parameter.name,
    })
}

fn show_global(parameter: &GlobalParameterDefinition) -> Value {
    json!({ "name": parameter.name, "value": json::field(&parameter.value) })
}

async fn parameters(shared: &Shared, component: Option<String>, vhost: Option<String>) -> List {
    let parameters = ask!(shared, AdminCommand::ListParameters { component, vhost }, Parameters);
    Ok(Json(parameters.iter().map(show).collect()))
}

pub(super) async fn list(api: Api<Administrator>) -> List {
    parameters(&api, None, None).await
}

pub(super) async fn of_component(api: Api<Administrator>, Path(component): Path<String>) -> List {
    parameters(&api, Some(component), None).await
}

pub(super) async fn of_vhost(api: Api<Administrator>, Path((component, vhost)): Path<(String, String)>) -> List {
    parameters(&api, Some(component), Some(vhost)).await
}

pub(super) async fn one(api: Api<Administrator>, Path((component, vhost, name)): Names) -> One {
    let command = AdminCommand::ListParameters { component: Some(component), vhost: Some(vhost) };
    let parameters = ask!(api, command, Parameters);
    let found = parameters.iter().find(|parameter| parameter.name == name);
    found.map(|parameter| Json(show(parameter))).ok_or_else(ApiError::not_found)
}

pub(super) async fn put(
    api: Api<Administrator>,
    Path((component, vhost, name)): Names,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let value = json::to_field(&required(&bytes, &["value"])?.remove("value").unwrap_or_default());
    let command = AdminCommand::SetParameter(ParameterDefinition { vhost, component, name, value });
    Ok(status(&api.execute(command).await.map_err(ApiError::or_no_vhost)?))
}

pub(super) async fn delete(
    api: Api<Administrator>,
    Path((component, vhost, name)): Names,
) -> Result<StatusCode, ApiError> {
    Ok(status(&api.execute(AdminCommand::ClearParameter { vhost, component, name }).await?))
}

pub(super) async fn global_list(api: Api<Administrator>) -> List {
    let parameters = ask!(api, AdminCommand::ListGlobalParameters, GlobalParameters);
    Ok(Json(parameters.iter().map(show_global).collect()))
}

pub(super) async fn global_one(api: Api<Administrator>, Path(name): Path<String>) -> One {
    let parameters = ask!(api, AdminCommand::ListGlobalParameters, GlobalParameters);
    let found = parameters.iter().find(|parameter| parameter.name == name);
    found.map(|parameter| Json(show_global(parameter))).ok_or_else(ApiError::not_found)
}

pub(super) async fn global_put(
    api: Api<Administrator>,
    Path(name): Path<String>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let value = json::to_field(&required(&bytes, &["value"])?.remove("value").unwrap_or_default());
    let command = AdminCommand::SetGlobalParameter(GlobalParameterDefinition { name, value });
    Ok(status(&api.execute(command).await?))
}

pub(super) async fn global_delete(api: Api<Administrator>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    Ok(status(&api.execute(AdminCommand::ClearGlobalParameter { name }).await?))
}
