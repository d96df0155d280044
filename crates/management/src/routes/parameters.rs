//! `/api/parameters` and `/api/global-parameters`.

use super::{ask, status};
use crate::api::{Api, GlobalPolicyMaker, PolicyMaker};
use crate::error::ApiError;
use crate::fields::Fields;
use crate::json;
use crate::list::{self, ListQuery};
use crate::request::required;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use broker::AdminCommand;
use metadata::{GlobalParameterDefinition, ParameterDefinition};

type Names = Path<(String, String, String)>;

fn show(parameter: &ParameterDefinition, fields: &mut Fields<'_>) {
    fields.put("value", || json::field(&parameter.value));
    fields.put("vhost", || parameter.vhost.as_str());
    fields.put("component", || parameter.component.as_str());
    fields.put("name", || parameter.name.as_str());
}

fn show_global(parameter: &GlobalParameterDefinition, fields: &mut Fields<'_>) {
    fields.put("name", || parameter.name.as_str());
    fields.put("value", || json::field(&parameter.value));
}

impl<R> Api<R> {
    async fn list_parameters(
        &self,
        component: Option<String>,
        vhost: Option<String>,
        query: &ListQuery,
    ) -> Result<Response, ApiError> {
        let mut rows = ask!(self, AdminCommand::ListParameters { component, vhost }, Parameters);
        rows.retain(|parameter| self.lists_vhost(&parameter.vhost));
        list::reply_sorted(query, rows, &[], show).await
    }
}

pub(super) async fn list(api: Api<PolicyMaker>, query: ListQuery) -> Result<Response, ApiError> {
    api.list_parameters(None, None, &query).await
}

pub(super) async fn of_component(
    api: Api<PolicyMaker>,
    Path(component): Path<String>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    api.list_parameters(Some(component), None, &query).await
}

pub(super) async fn of_vhost(
    api: Api<PolicyMaker>,
    Path((component, vhost)): Path<(String, String)>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    api.list_parameters(Some(component), Some(vhost), &query).await
}

pub(super) async fn one(
    api: Api<PolicyMaker>,
    Path((component, vhost, name)): Names,
    query: ListQuery,
) -> Result<Response, ApiError> {
    let command = AdminCommand::ListParameters { component: Some(component), vhost: Some(vhost) };
    let parameters = ask!(api, command, Parameters);
    let parameter = parameters.iter().find(|parameter| parameter.name == name).ok_or_else(ApiError::not_found)?;
    Ok(list::reply_one(&query, |fields| show(parameter, fields)))
}

pub(super) async fn put(
    api: Api<PolicyMaker>,
    Path((component, vhost, name)): Names,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let value = json::to_field(&required(&bytes, &["value"])?.remove("value").unwrap_or_default());
    let command = AdminCommand::SetParameter(ParameterDefinition { vhost, component, name, value });
    Ok(status(&api.execute(command).await.map_err(ApiError::or_no_vhost)?))
}

pub(super) async fn delete(
    api: Api<PolicyMaker>,
    Path((component, vhost, name)): Names,
) -> Result<StatusCode, ApiError> {
    Ok(status(&api.execute(AdminCommand::ClearParameter { vhost, component, name }).await?))
}

pub(super) async fn global_list(api: Api<GlobalPolicyMaker>, query: ListQuery) -> Result<Response, ApiError> {
    let rows = ask!(api, AdminCommand::ListGlobalParameters, GlobalParameters);
    list::reply_sorted(&query, rows, &["name"], show_global).await
}

pub(super) async fn global_one(
    api: Api<GlobalPolicyMaker>,
    Path(name): Path<String>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    let parameters = ask!(api, AdminCommand::ListGlobalParameters, GlobalParameters);
    let parameter = parameters.iter().find(|parameter| parameter.name == name).ok_or_else(ApiError::not_found)?;
    Ok(list::reply_one(&query, |fields| show_global(parameter, fields)))
}

pub(super) async fn global_put(
    api: Api<GlobalPolicyMaker>,
    Path(name): Path<String>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let value = json::to_field(&required(&bytes, &["value"])?.remove("value").unwrap_or_default());
    let command = AdminCommand::SetGlobalParameter(GlobalParameterDefinition { name, value });
    Ok(status(&api.execute(command).await?))
}

pub(super) async fn global_delete(
    api: Api<GlobalPolicyMaker>,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    Ok(status(&api.execute(AdminCommand::ClearGlobalParameter { name }).await?))
}
