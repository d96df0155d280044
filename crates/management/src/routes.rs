//! The router: RabbitMQ's paths under `/api`, and what RabbitMQ's HTTP API has no path for under `/api/leveret`.

mod absent;
mod audit;
mod bindings;
mod channels;
mod configuration;
mod connections;
mod definitions;
mod delayed;
mod events;
mod exchanges;
mod features;
mod health;
mod limits;
mod login;
mod maintenance;
mod messages;
mod nodes;
mod operator;
mod overview;
mod pages;
mod parameters;
mod permissions;
mod policies;
mod process;
mod queues;
mod shovels;
mod table;
mod tls;
mod users;
mod vhosts;

pub(crate) use limits::of_user as limits_of_user;

use crate::caller::Origin;
use crate::error::{ApiError, in_detail};
use crate::headers;
use crate::shared::Shared;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use broker::AdminReply;
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
        .route("/overview", get(overview::overview))
        .route("/auth", get(login::settings))
        .route("/login", post(login::login).delete(login::logout))
        .route("/version", get(overview::version))
        .route("/whoami", get(overview::whoami))
        .route("/cluster-name", get(overview::cluster_name).put(overview::set_cluster_name))
        .route("/extensions", get(overview::extensions))
        .route("/nodes", get(nodes::list))
        .route("/nodes/{node}", get(nodes::one))
        .route("/nodes/{node}/memory", get(nodes::memory))
        .route("/nodes/{node}/memory/relative", get(nodes::memory_relative))
        .route("/nodes/{node}/memory/ets", get(nodes::tables))
        .route("/nodes/{node}/memory/ets/relative", get(nodes::tables))
        .route("/nodes/{node}/memory/ets/{filter}", get(nodes::tables_of))
        .route("/nodes/{node}/memory/ets/{filter}/relative", get(nodes::tables_of))
        .route("/health/checks/alarms", get(health::alarms))
        .route("/health/checks/local-alarms", get(health::local_alarms))
        .route("/health/checks/port-listener/{port}", get(health::port_listener))
        .route("/health/checks/protocol-listener/{protocols}", get(health::protocol_listener))
        .route("/health/checks/virtual-hosts", get(health::virtual_hosts))
        .route("/health/checks/node-is-quorum-critical", get(health::quorum_critical))
        .route("/health/checks/node-is-mirror-sync-critical", get(health::quorum_critical))
        .route("/health/checks/quorum-queues-without-elected-leaders/all-vhosts", get(health::elected_leaders))
        .route("/health/checks/quorum-queues-without-elected-leaders/vhost/{vhost}", get(health::elected_leaders))
        .route(
            "/health/checks/quorum-queues-without-elected-leaders/all-vhosts/pattern/{pattern}",
            get(health::elected_leaders),
        )
        .route(
            "/health/checks/quorum-queues-without-elected-leaders/vhost/{vhost}/pattern/{pattern}",
            get(health::elected_leaders),
        )
        .route("/health/checks/certificate-expiration/{within}/{unit}", get(tls::expiration))
        .route("/health/checks/metadata-store/initialized", get(health::metadata_store))
        .route("/health/checks/metadata-store/initialized/with-data", get(health::metadata_store_with_data))
        .route("/health/checks/is-in-service", get(health::in_service))
        .route("/health/checks/below-node-connection-limit", get(health::below_connection_limit))
        .route("/health/checks/ready-to-serve-clients", get(health::ready_to_serve))
        .route("/health/checks/reached-target-cluster-size", get(health::cluster_size))
        .route("/healthchecks/node", get(health::node))
        .route("/healthchecks/node/{node}", get(health::named_node))
        .route("/aliveness-test/{vhost}", get(health::aliveness))
        .route("/feature-flags", get(features::flags))
        .route("/feature-flags/{name}/enable", put(features::enable))
        .route("/deprecated-features", get(features::deprecated_features))
        .route("/deprecated-features/used", get(features::used_features))
        .route("/auth/attempts/{node}", get(maintenance::attempts).delete(maintenance::reset_attempts))
        .route("/auth/attempts/{node}/source", get(maintenance::attempts_by_source).delete(maintenance::reset_attempts))
        .route("/auth/hash_password/{password}", get(maintenance::hash))
        .route("/config/effective", get(configuration::effective))
        .route("/reset", delete(maintenance::reset))
        .route("/reset/{node}", delete(maintenance::reset_node))
        .route("/rebalance/queues", post(maintenance::rebalance))
        .route("/users", get(users::list))
        .route("/users/bulk-delete", post(users::delete_many))
        .route("/users/without-permissions", get(users::without_permissions))
        .route("/users/{user}", get(users::one).put(users::put).patch(users::patch).delete(users::delete))
        .route("/users/{user}/permissions", get(permissions::of_user))
        .route("/users/{user}/topic-permissions", get(permissions::topic_of_user))
        .route("/users/{user}/queues", get(queues::of_user))
        .route("/vhosts", get(vhosts::list))
        .route("/vhosts/{vhost}", get(vhosts::one).put(vhosts::put).delete(vhosts::delete))
        .route("/vhosts/{vhost}/permissions", get(permissions::of_vhost))
        .route("/vhosts/{vhost}/topic-permissions", get(permissions::topic_of_vhost))
        .route(
            "/vhosts/{vhost}/deletion/protection",
            get(vhosts::protection).post(vhosts::protect).delete(vhosts::unprotect),
        )
        .route("/vhosts/{vhost}/start/{node}", post(vhosts::start))
        .route("/vhosts/{vhost}/connections", get(connections::of_vhost).delete(connections::close_of_vhost))
        .route("/permissions", get(permissions::list))
        .route("/permissions/{vhost}/{user}", get(permissions::one).put(permissions::put).delete(permissions::delete))
        .route("/topic-permissions", get(permissions::topic_list))
        .route(
            "/topic-permissions/{vhost}/{user}",
            get(permissions::topic_one).put(permissions::topic_put).delete(permissions::topic_delete),
        )
        .route(
            "/topic-permissions/{vhost}/{user}/{exchange}",
            get(permissions::topic_one_of_exchange).delete(permissions::topic_delete_exchange),
        )
        .route("/policies", get(policies::list))
        .route("/policies/{vhost}", get(policies::list))
        .route("/policies/{vhost}/{name}", get(policies::one).put(policies::put).delete(policies::delete))
        .route("/operator-policies", get(policies::operator_list))
        .route("/operator-policies/{vhost}", get(policies::operator_list))
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
        .route(
            "/vhost-limits/{vhost}/{limit}",
            get(limits::one_of_vhost).put(limits::put_vhost).delete(limits::delete_vhost),
        )
        .route("/user-limits", get(limits::users))
        .route("/user-limits/{user}", get(limits::user))
        .route(
            "/user-limits/{user}/{limit}",
            get(limits::one_of_user).put(limits::put_user).delete(limits::delete_user),
        )
        .route("/queues", get(queues::list))
        .route("/queues/detailed", get(queues::list))
        .route("/queues/{vhost}", get(queues::list))
        .route("/queues/{vhost}/{queue}", get(queues::one).put(queues::put).delete(queues::delete))
        .route("/queues/{vhost}/{queue}/contents", delete(queues::purge))
        .route("/queues/{vhost}/{queue}/actions", post(queues::act))
        .route("/queues/{vhost}/{queue}/bindings", get(bindings::of_queue))
        .route("/exchanges", get(exchanges::list))
        .route("/exchanges/{vhost}", get(exchanges::list))
        .route("/exchanges/{vhost}/{exchange}", get(exchanges::one).put(exchanges::put).delete(exchanges::delete))
        .route("/exchanges/{vhost}/{exchange}/bindings/source", get(bindings::from_exchange))
        .route("/exchanges/{vhost}/{exchange}/bindings/destination", get(bindings::to_exchange))
        .route("/bindings", get(bindings::list))
        .route("/bindings/{vhost}", get(bindings::list))
        .route("/bindings/{vhost}/e//{kind}/{destination}", get(bindings::from_default))
        .route("/bindings/{vhost}/e/{source}/{kind}/{destination}", get(bindings::between).post(bindings::post))
        .route("/bindings/{vhost}/e/{source}/{kind}/{destination}/{key}", get(bindings::one).delete(bindings::delete))
        .route("/definitions", get(definitions::get_all).post(definitions::post_all))
        .route("/definitions/{vhost}", get(definitions::get_vhost).post(definitions::post_vhost))
        .route("/all-configuration", get(definitions::get_all).post(definitions::post_all))
        .route("/shovels", get(shovels::list))
        .route("/shovels/{vhost}", get(shovels::of_vhost))
        .route("/federation-links", get(absent::of_node))
        .route("/federation-links/{vhost}", get(absent::of_node))
        .route("/stream/connections", get(absent::of_caller))
        .route("/stream/connections/{vhost}", get(absent::of_vhost))
        .route("/stream/publishers", get(absent::of_caller))
        .route("/stream/publishers/{vhost}", get(absent::of_vhost))
        .route("/stream/consumers", get(absent::of_caller))
        .route("/stream/consumers/{vhost}", get(absent::of_vhost))
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
        .route("/leveret/events/stream", get(events::stream))
        .route("/leveret/backup", post(operator::back_up))
        .route("/leveret/maintenance", put(operator::drain).delete(operator::revive))
        .route("/leveret/application", put(operator::start_application).delete(operator::stop_application))
        .route("/leveret/process", get(process::state).delete(process::terminate))
        .route("/leveret/data", delete(process::clear))
        .route("/leveret/disk-free-limit", put(process::set_disk_free_limit))
        .route("/leveret/authenticate", post(users::authenticate))
        .route("/leveret/alarms/{resource}", put(operator::raise_alarm).delete(operator::clear_alarm))
        .route("/leveret/memory-watermark", put(operator::set_memory_watermark))
        .route("/leveret/user-limits/{user}", put(limits::put_all_of_user).delete(limits::delete_all_of_user))
        .route("/leveret/channel-max", put(operator::set_channel_max))
        .route("/leveret/tls", get(tls::show))
        .route("/leveret/listeners/suspension", put(tls::suspend).delete(tls::resume))
        .route("/leveret/configuration", get(configuration::configuration))
        .route("/leveret/reload", post(configuration::reload))
        .route("/leveret/log", get(configuration::log))
        .route("/leveret/log/stream", get(configuration::log_stream))
        .route("/leveret/log/rotation", post(configuration::rotate_log))
        .route("/leveret/auth-cache", delete(operator::clear_auth_cache))
        .route("/leveret/log-level", put(configuration::set_log_level))
        .route("/leveret/loopback-users", get(operator::loopback_users).put(operator::set_loopback_users))
}

/// Every verb at every path of the API, for its documentation and for tests.
pub fn routes() -> Vec<Route> {
    table().describe("/api")
}

/// Every path that is served, for every listener.
pub(crate) fn router(shared: Shared) -> Router {
    let http = shared.http();
    let prefix = http.path_prefix.clone();
    let mut router = table().into_router(&format!("{prefix}/api")).merge(pages::table().into_router(&prefix));
    if !prefix.is_empty() {
        let home = Redirect::permanent(&format!("{prefix}/"));
        router = router.route("/", axum::routing::get(move || async move { home.clone() }));
    }
    let body_limit = DefaultBodyLimit::max(http.max_body_bytes);
    let router = router
        .fallback(unknown)
        .layer(from_fn(for_command_line))
        .layer(body_limit)
        .layer(from_fn_with_state(shared.clone(), headers::add));
    router.with_state(shared)
}

/// What comes by the socket is from the command line, which wants to know more of errors than RabbitMQ tells.
async fn for_command_line(request: Request, next: Next) -> Response {
    let is_by_socket = request.extensions().get::<Origin>() == Some(&Origin::Socket);
    let response = next.run(request).await;
    if is_by_socket { in_detail(response) } else { response }
}

async fn unknown() -> ApiError {
    ApiError::not_found()
}

/// True for a query parameter that is there and says so.
pub(crate) fn is_true(value: Option<&String>) -> bool {
    value.is_some_and(|value| value == "true")
}

/// The status of a request that put or deleted something: 201 when it was not there before, else 204.
pub(crate) fn status(reply: &AdminReply) -> StatusCode {
    match reply {
        AdminReply::Created => StatusCode::CREATED,
        _ => StatusCode::NO_CONTENT,
    }
}

/// Erlang's default of what `garbage_collection` says; nothing is collected here.
const FULLSWEEP_AFTER: u32 = 65_535;

/// The header that says how many messages or connections a request took away.
pub(crate) const COUNT_HEADER: &str = "leveret-count";

/// 204, with the count in a header, since RabbitMQ's answer has no body.
pub(crate) fn counted(count: u64) -> Response {
    (StatusCode::NO_CONTENT, [(COUNT_HEADER, count.to_string())]).into_response()
}
