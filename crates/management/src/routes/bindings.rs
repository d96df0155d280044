//! `/api/bindings`, and the bindings of queues and exchanges.

use crate::api::{Api, VhostUser};
use crate::binding_key::{Unpacked, pack, quote_plus, relativise};
use crate::error::ApiError;
use crate::fields::Fields;
use crate::json;
use crate::list::{self, ListQuery};
use crate::request::{OfVhost, arguments, exchange_name, object, text};
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use broker::{AdminCommand, AdminReply, BindingInfo, BindingSnapshot};

/// What RabbitMQ sorts bindings by.
const ORDER: &[&str] = &["vhost", "source", "type", "destination", "routing_key", "properties_key"];

fn show(snapshot: &BindingSnapshot, fields: &mut Fields<'_>) {
    let binding = &snapshot.binding;
    fields.put("source", || &*binding.source);
    fields.put("vhost", || &*snapshot.vhost);
    fields.put("destination", || &*binding.destination);
    fields.put("destination_type", || if binding.to_queue { "queue" } else { "exchange" });
    fields.put("routing_key", || binding.routing_key.as_str());
    fields.put("arguments", || json::table(&binding.arguments));
    fields.put("properties_key", || pack(&binding.routing_key, &binding.arguments));
}

impl<R> Api<R> {
    async fn bindings(&self, vhost: Option<String>) -> Result<Vec<BindingSnapshot>, ApiError> {
        match self.execute(AdminCommand::ListBindings { vhost }).await? {
            AdminReply::Bindings(bindings) => Ok(bindings),
            _ => Err(ApiError::unexpected_reply()),
        }
    }

    /// Those of a virtual host that `wanted` keeps.
    async fn some_bindings(
        &self,
        vhost: String,
        query: &ListQuery,
        wanted: impl Fn(&BindingInfo) -> bool,
    ) -> Result<Response, ApiError> {
        let mut rows = self.bindings(Some(vhost)).await?;
        rows.retain(|row| wanted(&row.binding));
        list::reply_sorted(query, rows, ORDER, show).await
    }
}

pub(super) async fn list(api: Api<VhostUser>, OfVhost(vhost): OfVhost, query: ListQuery) -> Result<Response, ApiError> {
    let is_of_all = vhost.is_none();
    let mut rows = api.bindings(vhost).await?;
    if is_of_all && !api.caller.tags.administrator {
        rows.retain(|row| api.lists_vhost(&row.vhost));
    }
    list::reply_sorted(&query, rows, ORDER, show).await
}

pub(super) async fn of_queue(
    api: Api<VhostUser>,
    Path((vhost, queue)): Path<(String, String)>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    api.some_bindings(vhost, &query, |binding| binding.to_queue && *binding.destination == *queue).await
}

pub(super) async fn from_exchange(
    api: Api<VhostUser>,
    Path((vhost, exchange)): Path<(String, String)>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    let exchange = exchange_name(&exchange);
    api.some_bindings(vhost, &query, |binding| *binding.source == *exchange).await
}

pub(super) async fn to_exchange(
    api: Api<VhostUser>,
    Path((vhost, exchange)): Path<(String, String)>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    let exchange = exchange_name(&exchange);
    api.some_bindings(vhost, &query, |binding| !binding.to_queue && *binding.destination == *exchange).await
}

/// Two objects that bindings connect, as a path names them.
struct Ends {
    vhost: String,
    source: String,
    destination: String,
    to_queue: bool,
}

impl Ends {
    /// RabbitMQ calls queues `q` and exchanges `e` here.
    fn new(vhost: String, source: &str, kind: &str, destination: &str) -> Result<Ends, ApiError> {
        let to_queue = match kind {
            "q" => true,
            "e" => false,
            _ => return Err(ApiError::not_found()),
        };
        let destination = if to_queue { destination } else { exchange_name(destination) };
        Ok(Ends { vhost, source: exchange_name(source).to_owned(), destination: destination.to_owned(), to_queue })
    }

    fn connects(&self, binding: &BindingInfo) -> bool {
        *binding.source == *self.source
            && *binding.destination == *self.destination
            && binding.to_queue == self.to_queue
    }
}

/// Virtual host, source, `q` or `e`, and destination.
type Between = Path<(String, String, String, String)>;
/// The same and the key of the properties.
type OneBetween = Path<(String, String, String, String, String)>;

pub(super) async fn between(
    api: Api<VhostUser>,
    Path((vhost, source, kind, destination)): Between,
    query: ListQuery,
) -> Result<Response, ApiError> {
    let ends = Ends::new(vhost, &source, &kind, &destination)?;
    api.some_bindings(ends.vhost.clone(), &query, |binding| ends.connects(binding)).await
}

/// The same for the default exchange, whose name in the path may be empty.
pub(super) async fn from_default(
    api: Api<VhostUser>,
    Path((vhost, kind, destination)): Path<(String, String, String)>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    between(api, Path((vhost, String::new(), kind, destination)), query).await
}

pub(super) async fn post(
    api: Api<VhostUser>,
    uri: Uri,
    Path((vhost, source, kind, destination)): Between,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let ends = Ends::new(vhost, &source, &kind, &destination)?;
    api.broker()?.vhost(&ends.vhost).ok_or_else(ApiError::vhost_not_found)?;
    let request = object(&bytes)?;
    let routing_key = text(&request, "routing_key")?.unwrap_or_default();
    let arguments = arguments(&request)?;
    let segments = [&ends.vhost, &source, &kind, &destination].map(|name| quote_plus(name));
    let [vhost, source, kind, destination] = &segments;
    let key = quote_plus(&pack(&routing_key, &arguments));
    let prefix = &api.http().path_prefix;
    let created = format!("{prefix}/api/bindings/{vhost}/e/{source}/{kind}/{destination}/{key}");
    api.execute_as_caller(AdminCommand::Bind(snapshot(ends, routing_key, arguments))).await?;
    let location = relativise(uri.path(), &created);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)]).into_response())
}

fn snapshot(ends: Ends, routing_key: String, arguments: amqp::FieldTable) -> BindingSnapshot {
    BindingSnapshot {
        vhost: ends.vhost.into(),
        binding: BindingInfo {
            source: ends.source.into(),
            destination: ends.destination.into(),
            to_queue: ends.to_queue,
            routing_key,
            arguments,
            order: 0,
        },
    }
}

impl<R> Api<R> {
    async fn binding(&self, Path(path): OneBetween) -> Result<BindingSnapshot, ApiError> {
        let (vhost, source, kind, destination, key) = path;
        let ends = Ends::new(vhost, &source, &kind, &destination)?;
        let key = Unpacked::parse(&key).ok_or_else(ApiError::not_found)?;
        let bindings = self.bindings(Some(ends.vhost.clone())).await?;
        let is_meant = |of: &BindingInfo| ends.connects(of) && key.means(&of.routing_key, &of.arguments);
        bindings.into_iter().find(|row| is_meant(&row.binding)).ok_or_else(ApiError::not_found)
    }
}

pub(super) async fn one(api: Api<VhostUser>, path: OneBetween, query: ListQuery) -> Result<Response, ApiError> {
    let binding = api.binding(path).await?;
    Ok(list::reply_one(&query, |fields| show(&binding, fields)))
}

pub(super) async fn delete(api: Api<VhostUser>, path: OneBetween) -> Result<StatusCode, ApiError> {
    let binding = api.binding(path).await?;
    api.execute_as_caller(AdminCommand::Unbind(binding)).await?;
    Ok(StatusCode::NO_CONTENT)
}
