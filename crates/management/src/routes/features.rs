//! `/api/feature-flags` and `/api/deprecated-features`.

use crate::api::{Administrator, Api, ManagementUser};
use crate::error::ApiError;
use crate::fields::Fields;
use crate::list::{self, ListQuery};
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use broker::QueueCell;
use serde_json::Value;
use std::sync::Arc;

/// A feature flag of RabbitMQ 4.x. Each is enabled: tools look for those of features that they need.
struct Flag {
    name: &'static str,
    description: &'static str,
    url: &'static str,
    is_required: bool,
    provider: &'static str,
}

const RABBIT: &str = "rabbit";
const AGENT: &str = "rabbitmq_management_agent";

const fn required(name: &'static str, description: &'static str, url: &'static str) -> Flag {
    Flag { name, description, url, is_required: true, provider: RABBIT }
}

const fn stable(name: &'static str, description: &'static str) -> Flag {
    Flag { name, description, url: "", is_required: false, provider: RABBIT }
}

const fn of_agent(name: &'static str, description: &'static str) -> Flag {
    Flag { name, description, url: "", is_required: true, provider: AGENT }
}

const STREAMS: &str = "https://www.rabbitmq.com/docs/stream";

/// By name, with RabbitMQ's descriptions.
const FLAGS: [Flag; 33] = [
    required("classic_mirrored_queue_version", "Support setting version for classic mirrored queues", ""),
    required(
        "classic_queue_type_delivery_support",
        "Bug fix for classic queue deliveries using mixed versions",
        "https://github.com/rabbitmq/rabbitmq-server/issues/5931",
    ),
    of_agent(
        "detailed_queues_endpoint",
        "Add a detailed queues HTTP API endpoint. Reduce number of metrics in the default endpoint.",
    ),
    required("direct_exchange_routing_v2", "v2 direct exchange routing implementation", ""),
    of_agent("drop_unroutable_metric", "Count unroutable publishes to be dropped in stats"),
    of_agent("empty_basic_get_metric", "Count AMQP `basic.get` on empty queues in stats"),
    required("feature_flags_v2", "Feature flags subsystem V2", ""),
    required(
        "implicit_default_bindings",
        "Default bindings are now implicit, instead of being stored in the database",
        "",
    ),
    required("khepri_db", "New Raft-based metadata store.", "https://www.rabbitmq.com/docs/next/metadata-store"),
    required("listener_records_in_ets", "Store listener records in ETS instead of Mnesia", ""),
    required("maintenance_mode_status", "Maintenance mode status", ""),
    required("message_containers", "Message containers.", ""),
    required(
        "message_containers_deaths_v2",
        "Bug fix for dead letter cycle detection",
        "https://github.com/rabbitmq/rabbitmq-server/issues/11159",
    ),
    required("quorum_queue", "Support queues of type `quorum`", "https://www.rabbitmq.com/docs/quorum-queues"),
    required("quorum_queue_non_voters", "Allows new quorum queue members to be added as non voters initially.", ""),
    required("rabbit_exchange_type_local_random", "Local random exchange", ""),
    required("rabbitmq_4.0.0", "Allows rolling upgrades from 3.13.x to 4.0.x", ""),
    required("rabbitmq_4.1.0", "Allows rolling upgrades to 4.1.x", ""),
    stable("rabbitmq_4.2.0", "Allows rolling upgrades to 4.2.x"),
    stable("rabbitmq_4.3.0", "Allows rolling upgrades to 4.3.x"),
    required(
        "restart_streams",
        "Support for restarting streams with optional preferred next leader argument.Used to implement stream leader rebalancing",
        "",
    ),
    required("stream_filtering", "Support for stream filtering.", ""),
    required("stream_queue", "Support queues of type `stream`", STREAMS),
    required(
        "stream_sac_coordinator_unblock_group",
        "Bug fix to unblock a group of consumers in a super stream partition",
        "https://github.com/rabbitmq/rabbitmq-server/issues/7743",
    ),
    required("stream_single_active_consumer", "Single active consumer for streams", STREAMS),
    required(
        "stream_update_config_command",
        "A new internal command that is used to update streams as part of a policy.",
        "",
    ),
    stable(
        "tie_binding_to_dest_with_keep_while_cond",
        "Use keep_while condition to tie a binding record lifetime to its destination record in Khepri",
    ),
    stable("topic_binding_projection_v4", "Enable the topic binding Khepri projection v4"),
    stable("topic_binding_projection_v5", "Enable the topic binding Khepri projection v5"),
    stable("track_qq_members_uids", "Track queue members UIDs in the metadata store"),
    required("tracking_records_in_ets", "Store tracking records in ETS instead of Mnesia", ""),
    required("user_limits", "Configure connection and channel limits for a user", ""),
    required("virtual_host_metadata", "Virtual host metadata (description, tags, etc)", ""),
];

fn show(flag: &&'static Flag, fields: &mut Fields<'_>) {
    fields.put("name", || flag.name);
    fields.put("desc", || flag.description);
    fields.put("doc_url", || flag.url);
    fields.put("state", || "enabled");
    fields.put("stability", || if flag.is_required { "required" } else { "stable" });
    fields.put("require_level", || if flag.is_required { "hard" } else { "none" });
    fields.put("experiment_level", || "unsupported");
    fields.put("callbacks", || Value::Array(Vec::new()));
    fields.put("provided_by", || flag.provider);
}

pub(super) async fn flags(_: Api<ManagementUser>, query: ListQuery) -> Result<Response, ApiError> {
    list::reply_sorted(&query, FLAGS.iter().collect(), &["name"], show).await
}

/// Each is enabled, so that nothing is left to do for those that there are.
pub(super) async fn enable(_: Api<Administrator>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    match FLAGS.iter().any(|flag| flag.name == name) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::bad_request("unsupported")),
    }
}

/// A feature that RabbitMQ 4.x is going to do without.
struct Deprecated {
    name: &'static str,
    phase: &'static str,
    url: &'static str,
    provider: &'static str,
}

const fn deprecated(name: &'static str, phase: &'static str, url: &'static str) -> Deprecated {
    Deprecated { name, phase, url, provider: RABBIT }
}

const DENIED: &str = "denied_by_default";
const PERMITTED: &str = "permitted_by_default";
const TRANSIENT: &str = "transient_nonexcl_queues";

/// By name.
const DEPRECATED: [Deprecated; 8] = [
    deprecated("amqp_address_v1", DENIED, "https://www.rabbitmq.com/docs/amqp#addresses"),
    deprecated(
        "amqp_filter_set_bug",
        DENIED,
        "https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-messaging-v1.0-os.html#type-filter-set",
    ),
    deprecated("classic_queue_mirroring", "removed", ""),
    deprecated(
        "global_qos",
        DENIED,
        "https://blog.rabbitmq.com/posts/2021/08/4.0-deprecation-announcements/#removal-of-global-qos",
    ),
    Deprecated {
        name: "management_metrics_collection",
        phase: PERMITTED,
        url: "https://blog.rabbitmq.com/posts/2021/08/4.0-deprecation-announcements/#disable-metrics-delivery-via-the-management-api--ui",
        provider: AGENT,
    },
    deprecated("queue_master_locator", DENIED, ""),
    deprecated(
        "ram_node_type",
        "removed",
        "https://blog.rabbitmq.com/posts/2021/08/4.0-deprecation-announcements/#removal-of-ram-nodes",
    ),
    deprecated(
        TRANSIENT,
        PERMITTED,
        "https://blog.rabbitmq.com/posts/2021/08/4.0-deprecation-announcements/#removal-of-transient-non-exclusive-queues",
    ),
];

fn show_deprecated(feature: &&'static Deprecated, fields: &mut Fields<'_>) {
    fields.put("name", || feature.name);
    fields.put("desc", || "");
    fields.put("deprecation_phase", || feature.phase);
    fields.put("doc_url", || feature.url);
    fields.put("provided_by", || feature.provider);
    // Whatever RabbitMQ denies by default is served here.
    fields.put("state", || if feature.phase == "removed" { "denied" } else { "permitted" });
}

pub(super) async fn deprecated_features(_: Api<ManagementUser>, query: ListQuery) -> Result<Response, ApiError> {
    list::reply_sorted(&query, DEPRECATED.iter().collect(), &["name"], show_deprecated).await
}

/// Nothing is going away here, but who moves on to RabbitMQ has to know: of what RabbitMQ looks for, only transient
/// queues can be in use.
pub(super) async fn used_features(api: Api<ManagementUser>, query: ListQuery) -> Result<Response, ApiError> {
    let broker = api.broker()?;
    let is_transient = |queue: &Arc<QueueCell>| !queue.durable && queue.owner.is_none();
    let is_used = broker.vhosts().into_iter().any(|vhost| vhost.queues().iter().any(is_transient));
    let used = DEPRECATED.iter().filter(|feature| is_used && feature.name == TRANSIENT).collect();
    list::reply_sorted(&query, used, &["name"], show_deprecated).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_by_name() {
        assert!(FLAGS.is_sorted_by_key(|flag| flag.name));
        assert!(DEPRECATED.is_sorted_by_key(|feature| feature.name));
    }
}
