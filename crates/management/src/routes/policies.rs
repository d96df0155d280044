//! `/api/policies` and `/api/operator-policies`.

use super::{ask, status};
use crate::api::{Administrator, Api, PolicyMaker, VhostUser};
use crate::caller::Origin;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::json;
use crate::list::{self, ListQuery};
use crate::request::{OfVhost, required};
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use broker::AdminCommand;
use metadata::{PolicyDefinition, PolicyKind};
use serde_json::{Map, Value};

type Names = Path<(String, String)>;

fn show(policy: &PolicyDefinition, fields: &mut Fields<'_>) {
    fields.put("vhost", || policy.vhost.as_str());
    fields.put("name", || policy.name.as_str());
    fields.put("pattern", || policy.pattern.as_str());
    fields.put("apply-to", || policy.apply_to.as_str());
    fields.put("definition", || json::table(&policy.definition));
    fields.put("priority", || policy.priority);
}

impl<R> Api<R> {
    async fn list_policies(
        &self,
        kind: PolicyKind,
        vhost: Option<String>,
        query: &ListQuery,
    ) -> Result<Response, ApiError> {
        let is_of_all = vhost.is_none();
        let mut rows = ask!(self, AdminCommand::ListPolicies { kind, vhost }, Policies);
        rows.retain(|policy| !is_of_all || self.lists_vhost(&policy.vhost));
        list::reply_sorted(query, rows, &["priority"], show).await
    }

    async fn one_policy(
        &self,
        kind: PolicyKind,
        Path((vhost, name)): Names,
        query: &ListQuery,
    ) -> Result<Response, ApiError> {
        let policies = ask!(self, AdminCommand::ListPolicies { kind, vhost: Some(vhost) }, Policies);
        let policy = policies.iter().find(|policy| policy.name == name).ok_or_else(ApiError::not_found)?;
        Ok(list::reply_one(query, |fields| show(policy, fields)))
    }

    async fn set_policy(
        &self,
        kind: PolicyKind,
        Path((vhost, name)): Names,
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
        Ok(status(&self.execute(command).await.map_err(ApiError::or_no_vhost)?))
    }

    async fn clear_policy(&self, kind: PolicyKind, Path((vhost, name)): Names) -> Result<StatusCode, ApiError> {
        Ok(status(&self.execute(AdminCommand::ClearPolicy { kind, vhost, name }).await?))
    }
}

pub(super) async fn list(api: Api<VhostUser>, OfVhost(vhost): OfVhost, query: ListQuery) -> Result<Response, ApiError> {
    api.list_policies(PolicyKind::User, vhost, &query).await
}

pub(super) async fn one(api: Api<PolicyMaker>, names: Names, query: ListQuery) -> Result<Response, ApiError> {
    api.one_policy(PolicyKind::User, names, &query).await
}

pub(super) async fn put(api: Api<PolicyMaker>, names: Names, bytes: Bytes) -> Result<StatusCode, ApiError> {
    api.set_policy(PolicyKind::User, names, &bytes).await
}

pub(super) async fn delete(api: Api<PolicyMaker>, names: Names) -> Result<StatusCode, ApiError> {
    api.clear_policy(PolicyKind::User, names).await
}

pub(super) async fn operator_list(
    api: Api<VhostUser>,
    OfVhost(vhost): OfVhost,
    query: ListQuery,
) -> Result<Response, ApiError> {
    api.list_policies(PolicyKind::Operator, vhost, &query).await
}

pub(super) async fn operator_one(
    api: Api<Administrator>,
    names: Names,
    query: ListQuery,
) -> Result<Response, ApiError> {
    api.one_policy(PolicyKind::Operator, names, &query).await
}

pub(super) async fn operator_put(api: Api<Administrator>, names: Names, bytes: Bytes) -> Result<Response, ApiError> {
    match fixed(&api) {
        Some(refusal) => Ok(refusal),
        None => Ok(api.set_policy(PolicyKind::Operator, names, &bytes).await?.into_response()),
    }
}

pub(super) async fn operator_delete(api: Api<Administrator>, names: Names) -> Result<Response, ApiError> {
    match fixed(&api) {
        Some(refusal) => Ok(refusal),
        None => Ok(api.clear_policy(PolicyKind::Operator, names).await?.into_response()),
    }
}

/// The refusal of a change with `management.restrictions.operator_policy_changes.disabled`: for RabbitMQ's HTTP API there are
/// no such verbs then, while its command line, which comes by the socket here, still has them.
fn fixed(api: &Api<Administrator>) -> Option<Response> {
    let is_fixed = api.http().fixes_operator_policies && api.caller.origin != Origin::Socket;
    is_fixed.then(|| (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "HEAD, GET, OPTIONS")]).into_response())
}
