//! The router: RabbitMQ's paths under `/api`, and what RabbitMQ's HTTP API has no path for under `/api/leveret`.

mod audit;
mod channels;
mod connections;
mod definitions;
mod delayed;
mod limits;
mod login;
mod messages;
mod node;
mod pages;
mod parameters;
mod permissions;
mod policies;
mod queues;
mod table;
mod topology;
mod users;
mod vhosts;

pub(crate) use limits::of_user as limits_of_user;

use crate::error::ApiError;
use crate::service::Shared;
use crate::{compress, headers};
use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use broker::AdminReply;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
pub use table::Route;
use table::{Routes, delete, get, post, put};

/// Carries out a command and takes the reply apart that belongs to it.
macro_rules! ask {
    ($shared:expr, $command:expr, $reply:ident) => {
        match $shared.execute($command).await? {
            broker::AdminReply::$reply(value) => value,
            _ => return Err(crate::error::ApiError::unexpected_reply()),
        }
    };
}
pub(crate) use ask;

/// Every path below `/api`. A handler's first argument, its `Api`, says who may use it.
fn table() -> Routes {
    messages::routes(Routes::default())
        .route("/overview", get(node::overview))
        .route("/auth", get(login::settings))
        .route("/login", post(login::login).delete(login::logout))
        .route("/whoami", get(node::whoami))
        .route("/nodes", get(node::nodes))
        .route("/cluster-name", get(node::cluster_name))
        .route("/health/checks/alarms", get(node::check_alarms))
        .route("/health/checks/local-alarms", get(node::check_alarms))
        .route("/users", get(users::list))
        .route("/users/{user}", get(users::one).put(users::put).patch(users::patch).delete(users::delete))
        .route("/users/{user}/permissions", get(permissions::of_user))
        .route("/users/{user}/topic-permissions", get(permissions::topic_of_user))
        .route("/vhosts", get(vhosts::list))
        .route("/vhosts/{vhost}", get(vhosts::one).put(vhosts::put).delete(vhosts::delete))
        .route("/vhosts/{vhost}/permissions", get(permissions::of_vhost))
        .route("/vhosts/{vhost}/topic-permissions", get(permissions::topic_of_vhost))
        .route("/vhosts/{vhost}/connections", get(connections::of_vhost).delete(connections::close_of_vhost))
        .route("/permissions", get(permissions::list))
        .route("/permissions/{vhost}/{user}", get(permissions::one).put(permissions::put).delete(permissions::delete))
        .route("/topic-permissions", get(permissions::topic_list))
        .route(
            "/topic-permissions/{vhost}/{user}",
            get(permissions::topic_one).put(permissions::topic_put).delete(permissions::topic_delete),
        )
        .route("/topic-permissions/{vhost}/{user}/{exchange}", delete(permissions::topic_delete_exchange))
        .route("/policies", get(policies::list))
        .route("/policies/{vhost}", get(policies::of_vhost))
        .route("/policies/{vhost}/{name}", get(policies::one).put(policies::put).delete(policies::delete))
        .route("/operator-policies", get(policies::operator_list))
        .route("/operator-policies/{vhost}", get(policies::operator_of_vhost))
        .route(
            "/operator-policies/{vhost}/{name}",
            get(policies::operator_one).put(policies::operator_put).delete(policies::operator_delete),
        )
        .route("/parameters", get(parameters::list))
        .route("/parameters/{component}", get(parameters::of_component))
        .route("/parameters/{component}/{vhost}", get(parameters::of_vhost))
        .route(
            "/parameters/{component}/{vhost}/{name}",
            get(parameters::one).put(parameters::put).delete(parameters::delete),
        )
        .route("/global-parameters", get(parameters::global_list))
        .route(
            "/global-parameters/{name}",
            get(parameters::global_one).put(parameters::global_put).delete(parameters::global_delete),
        )
        .route("/vhost-limits", get(limits::vhosts))
        .route("/vhost-limits/{vhost}", get(limits::vhost))
        .route("/vhost-limits/{vhost}/{limit}", put(limits::put_vhost).delete(limits::delete_vhost))
        .route("/user-limits", get(limits::users))
        .route("/user-limits/{user}", get(limits::user))
        .route("/user-limits/{user}/{limit}", put(limits::put_user).delete(limits::delete_user))
        .route("/queues", get(queues::list))
        .route("/queues/{vhost}", get(queues::of_vhost))
        .route("/queues/{vhost}/{queue}", get(queues::one).put(queues::put).delete(queues::delete))
        .route("/queues/{vhost}/{queue}/contents", delete(queues::purge))
        .route("/queues/{vhost}/{queue}/bindings", get(topology::bindings_of_queue))
        .route("/exchanges", get(topology::exchanges))
        .route("/exchanges/{vhost}", get(topology::exchanges_of_vhost))
        .route("/exchanges/{vhost}/{exchange}", get(topology::exchange))
        .route("/bindings", get(topology::bindings))
        .route("/bindings/{vhost}", get(topology::bindings_of_vhost))
        .route("/definitions", get(definitions::get_all).post(definitions::post_all))
        .route("/definitions/{vhost}", get(definitions::get_vhost).post(definitions::post_vhost))
        .route("/all-configuration", get(definitions::get_all).post(definitions::post_all))
        .route("/delayed/{vhost}", get(delayed::list))
        .route("/delayed/{vhost}/{id}", delete(delayed::cancel))
        .route("/connections", get(connections::list).delete(connections::close_all))
        .route("/connections/{name}", get(connections::one).delete(connections::close))
        .route("/connections/{name}/channels", get(channels::of_connection))
        .route("/connections/{name}/sessions", get(connections::sessions))
        .route("/connections/username/{user}", get(connections::of_user).delete(connections::close_of_user))
        .route("/channels", get(channels::list))
        .route("/channels/{name}", get(channels::one))
        .route("/vhosts/{vhost}/channels", get(channels::of_vhost))
        .route("/consumers", get(channels::consumers))
        .route("/consumers/{vhost}", get(channels::consumers_of_vhost))
        .route("/leveret/audit", get(audit::list))
        .route("/leveret/application", put(node::start_application).delete(node::stop_application))
        .route("/leveret/authenticate", post(users::authenticate))
        .route("/leveret/alarms/{resource}", put(node::raise_alarm).delete(node::clear_alarm))
        .route("/leveret/memory-watermark", put(node::set_memory_watermark))
        .route("/leveret/user-limits/{user}", put(limits::put_all_of_user).delete(limits::delete_all_of_user))
        .route("/leveret/channel-max", put(node::set_channel_max))
        .route("/leveret/loopback-users", get(node::loopback_users).put(node::set_loopback_users))
}

/// Every verb at every path of the API, for its documentation and for tests.
pub fn routes() -> Vec<Route> {
    table().describe("/api")
}

/// Every path that is served, for every listener.
pub(crate) fn router(shared: Shared) -> Router {
    let http = shared.http();
    let (prefix, compress) = (http.path_prefix.clone(), http.limits.compress);
    let mut router = table().into_router(&format!("{prefix}/api")).merge(pages::table().into_router(&prefix));
    if !prefix.is_empty() {
        let home = Redirect::permanent(&format!("{prefix}/"));
        router = router.route("/", axum::routing::get(move || async move { home.clone() }));
    }
    let body_limit = DefaultBodyLimit::max(http.max_body_bytes);
    let router = router.fallback(unknown).layer(body_limit).layer(from_fn_with_state(shared.clone(), headers::add));
    let router = if compress { router.layer(from_fn(compress::gzip)) } else { router };
    router.with_state(shared)
}

async fn unknown() -> ApiError {
    ApiError::not_found()
}

/// A body as JSON whatever its content type says, as RabbitMQ takes it; an empty one is an empty object.
pub(crate) fn body<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, ApiError> {
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(text).map_err(|error| ApiError::bad_request(format!("invalid body: {error}")))
}

/// A body that is an object with these keys; RabbitMQ names all that are missing.
pub(crate) fn required(bytes: &Bytes, keys: &[&str]) -> Result<Map<String, Value>, ApiError> {
    let object: Map<String, Value> = body(bytes)?;
    let missing: Vec<String> =
        keys.iter().filter(|key| !object.contains_key(**key)).map(|key| format!("{{key_missing,{key}}}")).collect();
    if missing.is_empty() { Ok(object) } else { Err(ApiError::bad_request(format!("[{}]", missing.join(",")))) }
}

/// True for a query parameter that is there and says so.
pub(crate) fn is_true(value: Option<&String>) -> bool {
    value.is_some_and(|value| value == "true")
}

/// Tags as a list, or with commas between them.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Tags {
    List(Vec<String>),
    Text(String),
}

impl Tags {
    pub(crate) fn into_list(self) -> Vec<String> {
        let list = match self {
            Tags::List(list) => list,
            Tags::Text(text) => text.split(',').map(|tag| tag.trim().to_owned()).collect(),
        };
        list.into_iter().filter(|tag| !tag.is_empty()).collect()
    }
}

/// The status of a request that put or deleted something: 201 when it was not there before, else 204.
pub(crate) fn status(reply: &AdminReply) -> StatusCode {
    match reply {
        AdminReply::Created => StatusCode::CREATED,
        _ => StatusCode::NO_CONTENT,
    }
}

/// The header that says how many messages or connections a request took away.
pub(crate) const COUNT_HEADER: &str = "leveret-count";

/// 204, with the count in a header, since RabbitMQ's answer has no body.
pub(crate) fn counted(count: u64) -> Response {
    (StatusCode::NO_CONTENT, [(COUNT_HEADER, count.to_string())]).into_response()
}
