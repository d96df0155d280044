//! Exporting: small parts first, then queues and bindings, made into text as they are sent.

use crate::error::ApiError;
use crate::json;
use crate::routes::limits_of_user;
use amqp::FieldValue;
use broker::{AdminCommand, AdminReply, Broker, INTERNAL_CLUSTER_ID, TopologyDefinitions};
use metadata::{
    BindingDefinition, ExchangeDefinition, GlobalParameterDefinition, ParameterDefinition, PermissionDefinition,
    PolicyDefinition, PolicyKind, QueueDefinition, TopicPermissionDefinition, UserDefinition, VhostDefinition,
};
use serde_json::{Map, Value, json};

/// What is exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everything.
    All,
    /// What is in a virtual host.
    Vhost(String),
}

/// Bytes of text that are made at once.
const PIECE: usize = 64 << 10;
/// Global parameters whose names begin so are the broker's own (RabbitMQ: `is_internal_parameter`).
const INTERNAL: &str = "internal";

/// Pieces of a JSON document, made when they are asked for.
pub(crate) type Pieces = Box<dyn Iterator<Item = String> + Send>;

macro_rules! ask {
    ($broker:expr, $command:expr, $reply:ident) => {
        match $broker.execute($command)? {
            AdminReply::$reply(value) => value,
            _ => return Err(ApiError::unexpected_reply()),
        }
    };
}

/// Gathers definitions; keys and fields stand in the order of RabbitMQ 3.10, with those that came later behind them.
pub(crate) fn export(broker: &Broker, scope: &Scope) -> Result<Pieces, ApiError> {
    let vhost = match scope {
        Scope::All => None,
        Scope::Vhost(vhost) => Some(vhost.clone()),
    };
    let vhosts = ask!(broker, AdminCommand::ListVhosts, Vhosts);
    let command = AdminCommand::ListParameters { component: None, vhost: vhost.clone() };
    let parameters = ask!(broker, command, Parameters);
    let command = AdminCommand::ListPolicies { kind: PolicyKind::User, vhost: vhost.clone() };
    let mut policies = ask!(broker, command, Policies);
    policies.sort_by(|a, b| (&a.vhost, &a.name).cmp(&(&b.vhost, &b.name)));
    let topology = ask!(broker, AdminCommand::ExportTopology { vhost: vhost.clone() }, Topology);
    let context = Context { strip: vhost.is_some(), default_queue_type: broker.settings.default_queue_type.clone() };
    let mut head = versions(broker);
    let Some(name) = vhost else {
        let globals = ask!(broker, AdminCommand::ListGlobalParameters, GlobalParameters);
        let cluster_name = cluster_name(broker, &globals);
        head.extend(fields([
            ("rabbitmq_definition_format", "cluster".into()),
            ("original_cluster_name", cluster_name.as_str().into()),
            ("explanation", format!("Definitions of cluster '{cluster_name}'").into()),
        ]));
        let users = ask!(broker, AdminCommand::ListUsers, Users);
        let permissions = ask!(broker, AdminCommand::ListPermissions, Permissions);
        let topic_permissions = ask!(broker, AdminCommand::ListTopicPermissions, TopicPermissions);
        let limits = parameters.clone();
        let globals: Vec<_> = globals
            .into_iter()
            .filter(|parameter| !parameter.name.starts_with(INTERNAL) || parameter.name == INTERNAL_CLUSTER_ID)
            .collect();
        let vhosts = vhosts.into_iter().map(move |vhost| {
            let of = limits.iter().find(|limit| limit.component == VHOST_LIMITS && limit.vhost == vhost.name);
            (vhost, of.map(|limit| limit.value.clone()))
        });
        let small = list("users", users, context.clone(), show_user)
            .chain(list("vhosts", vhosts.collect(), context.clone(), show_vhost))
            .chain(list("permissions", permissions, context.clone(), show_permission))
            .chain(list("topic_permissions", topic_permissions, context.clone(), show_topic_permission))
            .chain(list("parameters", parameters, context.clone(), show_parameter))
            .chain(list("global_parameters", globals, context.clone(), show_global_parameter))
            .chain(list("policies", policies, context.clone(), show_policy));
        return Ok(document(head, small, *topology, context));
    };
    let Some(vhost) = vhosts.into_iter().find(|vhost| vhost.name == name) else {
        return Err(ApiError::bad_request("vhost_not_found"));
    };
    let limits = parameters.iter().find(|limit| limit.component == VHOST_LIMITS).map(|limit| limit.value.clone());
    head.extend(fields([
        ("rabbitmq_definition_format", "single_virtual_host".into()),
        ("original_vhost_name", name.as_str().into()),
        ("explanation", format!("Definitions of virtual host '{name}'").into()),
        ("metadata", metadata(&vhost, &context)),
        ("description", vhost.description.as_str().into()),
        ("limits", limits.as_ref().map_or_else(|| Value::Object(Map::new()), json::field)),
    ]));
    let small = list("parameters", parameters, context.clone(), show_parameter).chain(list(
        "policies",
        policies,
        context.clone(),
        show_policy,
    ));
    Ok(document(head, small, *topology, context))
}

const VHOST_LIMITS: &str = "vhost-limits";

/// What the objects of a document have in common.
#[derive(Clone)]
struct Context {
    /// Objects do not say what virtual host they are in.
    strip: bool,
    default_queue_type: String,
}

fn fields<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn versions(broker: &Broker) -> Map<String, Value> {
    let version = broker.settings.version.as_str();
    fields([
        ("rabbit_version", version.into()),
        ("rabbitmq_version", version.into()),
        ("product_name", "Leveret".into()),
        ("product_version", env!("CARGO_PKG_VERSION").into()),
    ])
}

/// The name that an operator gave, or that of the configuration.
fn cluster_name(broker: &Broker, globals: &[GlobalParameterDefinition]) -> String {
    let given = globals.iter().find(|parameter| parameter.name == "cluster_name");
    let given = given.and_then(|parameter| parameter.value.as_str());
    given.unwrap_or(&broker.settings.cluster_name).to_owned()
}

fn document(
    head: Map<String, Value>,
    small: impl Iterator<Item = String> + Send + 'static,
    topology: TopologyDefinitions,
    context: Context,
) -> Pieces {
    let mut opening = Value::Object(head).to_string();
    // The closing brace comes last.
    opening.pop();
    Box::new(
        std::iter::once(opening)
            .chain(small)
            .chain(list("queues", topology.queues, context.clone(), show_queue))
            .chain(list("exchanges", topology.exchanges, context.clone(), show_exchange))
            .chain(list("bindings", topology.bindings, context, show_binding))
            .chain(std::iter::once("}".to_owned())),
    )
}

/// `,"key":[...]` in pieces.
fn list<T: Send + 'static>(
    key: &'static str,
    items: Vec<T>,
    context: Context,
    show: fn(&T, &Context) -> Value,
) -> impl Iterator<Item = String> + Send {
    let mut items = items.into_iter();
    let mut piece = format!(",\"{key}\":[");
    let (mut is_first, mut is_over) = (true, false);
    std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        while piece.len() < PIECE {
            let Some(item) = items.next() else {
                is_over = true;
                piece.push(']');
                break;
            };
            let mut value = show(&item, &context);
            if let (true, Value::Object(fields)) = (context.strip, &mut value) {
                fields.shift_remove("vhost");
            }
            if !std::mem::take(&mut is_first) {
                piece.push(',');
            }
            piece.push_str(&value.to_string());
        }
        Some(std::mem::take(&mut piece))
    })
}

fn show_user(user: &UserDefinition, _: &Context) -> Value {
    json!({
        "name": user.name,
        "password_hash": user.password_hash,
        "hashing_algorithm": user.hashing_algorithm,
        "tags": user.tags,
        "limits": limits_of_user(user.limits),
    })
}

fn metadata(vhost: &VhostDefinition, context: &Context) -> Value {
    let queue_type = vhost.default_queue_type.as_deref().unwrap_or(&context.default_queue_type);
    let mut metadata = json!({
        "description": vhost.description,
        "tags": vhost.tags,
        "default_queue_type": queue_type,
    });
    if vhost.protected_from_deletion {
        metadata["protected_from_deletion"] = true.into();
    }
    metadata
}

fn show_vhost((vhost, limits): &(VhostDefinition, Option<FieldValue>), context: &Context) -> Value {
    let metadata = metadata(vhost, context);
    let mut shown = json!({
        "name": vhost.name,
        "description": vhost.description,
        "tags": vhost.tags,
        "default_queue_type": metadata["default_queue_type"],
        "limits": limits.as_ref().map_or_else(|| json!({}), json::field),
        "metadata": metadata,
    });
    if vhost.tracing {
        shown["tracing"] = true.into();
    }
    shown
}

fn show_permission(permission: &PermissionDefinition, _: &Context) -> Value {
    json!({
        "user": permission.user,
        "vhost": permission.vhost,
        "configure": permission.configure,
        "write": permission.write,
        "read": permission.read,
    })
}

fn show_topic_permission(permission: &TopicPermissionDefinition, _: &Context) -> Value {
    json!({
        "user": permission.user,
        "vhost": permission.vhost,
        "exchange": permission.exchange,
        "write": permission.write,
        "read": permission.read,
    })
}

fn show_parameter(parameter: &ParameterDefinition, _: &Context) -> Value {
    json!({
        "value": json::field(&parameter.value),
        "vhost": parameter.vhost,
        "component": parameter.component,
        "name": parameter.name,
    })
}

fn show_global_parameter(parameter: &GlobalParameterDefinition, _: &Context) -> Value {
    json!({ "name": parameter.name, "value": json::field(&parameter.value) })
}

fn show_policy(policy: &PolicyDefinition, _: &Context) -> Value {
    json!({
        "vhost": policy.vhost,
        "name": policy.name,
        "pattern": policy.pattern,
        "apply-to": policy.apply_to.as_str(),
        "definition": json::table(&policy.definition),
        "priority": policy.priority,
    })
}

fn show_queue(queue: &QueueDefinition, _: &Context) -> Value {
    let kind = queue.arguments.get("x-queue-type").and_then(FieldValue::as_str).unwrap_or("classic");
    json!({
        "name": queue.name,
        "vhost": queue.vhost,
        "durable": queue.durable,
        "auto_delete": queue.auto_delete,
        "arguments": json::table(&queue.arguments),
        "type": kind,
    })
}

fn show_exchange(exchange: &ExchangeDefinition, _: &Context) -> Value {
    json!({
        "name": exchange.name,
        "vhost": exchange.vhost,
        "type": exchange.kind,
        "durable": exchange.durable,
        "auto_delete": exchange.auto_delete,
        "internal": exchange.internal,
        "arguments": json::table(&exchange.arguments),
    })
}

fn show_binding(binding: &BindingDefinition, _: &Context) -> Value {
    json!({
        "source": binding.source,
        "vhost": binding.vhost,
        "destination": binding.destination,
        "destination_type": binding.destination_kind.as_str(),
        "routing_key": binding.routing_key,
        "arguments": json::table(&binding.arguments),
    })
}
