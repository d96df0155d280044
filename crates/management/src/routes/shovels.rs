//! `/api/shovels`: those that parameters declare. None of them moves anything, which their state says.

use super::ask;
use crate::api::{Api, Monitor};
use crate::error::ApiError;
use crate::fields::Fields;
use crate::list::{self, ListQuery};
use axum::extract::Path;
use axum::response::Response;
use broker::AdminCommand;
use metadata::ParameterDefinition;

/// RabbitMQ gives the reason for which a shovel ended.
const REASON: &str = "this broker keeps the parameters of shovels, and runs none";

impl<R> Api<R> {
    async fn list_shovels(&self, vhost: Option<String>, query: &ListQuery) -> Result<Response, ApiError> {
        let command = AdminCommand::ListParameters { component: Some("shovel".to_owned()), vhost };
        let mut rows = ask!(self, command, Parameters);
        rows.retain(|shovel| self.lists_vhost(&shovel.vhost));
        let node = self.node_name().to_owned();
        let show = move |shovel: &ParameterDefinition, fields: &mut Fields<'_>| {
            fields.put("node", || node.as_str());
            fields.put("name", || shovel.name.as_str());
            fields.put("vhost", || shovel.vhost.as_str());
            fields.put("type", || "dynamic");
            fields.put("state", || "terminated");
            fields.put("reason", || REASON);
        };
        list::reply_sorted(query, rows, &["vhost", "name"], show).await
    }
}

pub(super) async fn list(api: Api<Monitor>, query: ListQuery) -> Result<Response, ApiError> {
    api.list_shovels(None, &query).await
}

pub(super) async fn of_vhost(
    api: Api<Monitor>,
    Path(vhost): Path<String>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    api.list_shovels(Some(vhost), &query).await
}
