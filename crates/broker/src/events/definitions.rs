//! Events of users, virtual hosts, permissions, policies and parameters, made from the change and what was before.

use super::objects::{by, fields};
use crate::broker::Broker;
use amqp::{FieldTable, FieldValue, erlang};
use metadata::{Change, PolicyDefinition, PolicyKind, Snapshot, UserDefinition, UserLimits, VhostDefinition};

const OPERATOR_POLICY: &str = "operator_policy";
const VHOST_LIMITS: &str = "vhost-limits";

/// An event in the making.
type Made = (&'static str, FieldTable);

impl Broker {
    /// Tells of changes that took effect.
    pub(crate) fn emit_changes(&self, before: &Snapshot, changes: &[Change]) {
        if !self.events.is_listening() {
            return;
        }
        for (name, fields) in changes.iter().flat_map(|change| self.events_of(before, change)) {
            self.emit(name, || fields);
        }
    }

    fn events_of(&self, before: &Snapshot, change: &Change) -> Vec<Made> {
        match change {
            Change::PutUser(user) => of_user(before.users.iter().find(|known| known.name == user.name), user),
            Change::DeleteUser { name } => vec![("user.deleted", fields([by(), ("name", text(name))]))],
            Change::PutPermission(permission) => vec![(
                "permission.created",
                fields([
                    by(),
                    ("read", text(&permission.read)),
                    ("write", text(&permission.write)),
                    ("configure", text(&permission.configure)),
                    ("vhost", text(&permission.vhost)),
                    ("user", text(&permission.user)),
                ]),
            )],
            Change::DeletePermission { user, vhost } => {
                vec![("permission.deleted", fields([by(), ("vhost", text(vhost)), ("user", text(user))]))]
            }
            Change::PutTopicPermission(permission) => vec![(
                "topic.permission.created",
                fields([
                    by(),
                    ("read", text(&permission.read)),
                    ("write", text(&permission.write)),
                    ("exchange", text(&permission.exchange)),
                    ("vhost", text(&permission.vhost)),
                    ("user", text(&permission.user)),
                ]),
            )],
            Change::DeleteTopicPermission { user, vhost, .. } => {
                vec![("topic.permission.deleted", fields([by(), ("vhost", text(vhost)), ("user", text(user))]))]
            }
            Change::PutVhost(vhost) => self.of_vhost(before, vhost),
            Change::DeleteVhost { name } => of_deleted_vhost(before, name),
            Change::PutPolicy(policy) => of_policy(policy),
            Change::DeletePolicy { vhost, kind, name } => of_cleared_policy(vhost, *kind, name),
            Change::PutParameter(parameter) => {
                of_parameter(&parameter.vhost, &parameter.component, &parameter.name, &parameter.value)
            }
            Change::DeleteParameter { vhost, component, name } => {
                let mut all = vec![("parameter.cleared", parameter(vhost, component, name, None))];
                if component == VHOST_LIMITS {
                    all.push(("vhost.limits.cleared", fields([by(), ("name", text(name))])));
                }
                all
            }
            Change::PutGlobalParameter(global) => {
                let of = fields([
                    by(),
                    ("value", global.value.clone()),
                    ("name", text(&global.name)),
                    ("component", text("global")),
                ]);
                vec![("parameter.set", of)]
            }
            // As RabbitMQ calls it.
            Change::DeleteGlobalParameter { name } => {
                vec![("parameter.set", fields([by(), ("name", text(name)), ("component", text("global"))]))]
            }
            _ => Vec::new(),
        }
    }

    fn of_vhost(&self, before: &Snapshot, vhost: &VhostDefinition) -> Vec<Made> {
        let existed = before.vhosts.iter().any(|known| known.name == vhost.name);
        let mut state = FieldTable::new();
        state.insert(self.settings.node_name.as_str(), "running");
        let tags = || vhost.tags.iter().map(|tag| text(tag)).collect();
        let of = fields([
            ("tags", FieldValue::Array(tags())),
            ("description", text(&vhost.description)),
            by(),
            ("cluster_state", FieldValue::Table(state)),
            ("tracing", vhost.tracing.into()),
            ("metadata", text(&metadata_term(vhost))),
            ("default_queue_type", text(vhost.default_queue_type.as_deref().unwrap_or("undefined"))),
            ("name", text(&vhost.name)),
        ]);
        vec![(if existed { "vhost.updated" } else { "vhost.created" }, of)]
    }
}

fn text(text: &str) -> FieldValue {
    text.into()
}

/// What a virtual host was given, as Erlang prints a map.
fn metadata_term(vhost: &VhostDefinition) -> String {
    let mut pairs = Vec::new();
    if let Some(queue_type) = &vhost.default_queue_type {
        pairs.push(format!("default_queue_type => {}", erlang::binary(queue_type.as_bytes())));
    }
    pairs.push(format!("description => {}", erlang::binary(vhost.description.as_bytes())));
    pairs.push(format!("tags => {}", erlang::list(&vhost.tags)));
    format!("#{{{}}}", pairs.join(","))
}

fn of_user(before: Option<&UserDefinition>, user: &UserDefinition) -> Vec<Made> {
    let mut all = Vec::new();
    let named = || fields([by(), ("name", text(&user.name))]);
    match before {
        None => all.push(("user.created", named())),
        Some(before) if before.password_hash != user.password_hash => {
            let cleared = user.password_hash.is_empty();
            all.push((if cleared { "user.password.cleared" } else { "user.password.changed" }, named()));
        }
        Some(_) => {}
    }
    if before.map_or(&[][..], |before| &before.tags) != user.tags {
        let tags = FieldValue::Array(user.tags.iter().map(|tag| text(tag)).collect());
        all.push(("user.tags.set", fields([by(), ("tags", tags), ("name", text(&user.name))])));
    }
    let old = before.map(|before| before.limits).unwrap_or_default();
    if old != user.limits {
        let is_cleared = user.limits == UserLimits::default();
        let mut table = FieldTable::new();
        for (name, limit) in
            [("max-connections", user.limits.max_connections), ("max-channels", user.limits.max_channels)]
        {
            if let Some(limit) = limit {
                table.insert(name, limit);
            }
        }
        let rest = fields([("username", text(&user.name)), by(), ("name", text("limits"))]);
        rest.into_iter().for_each(|(name, value)| table.insert(name, value));
        all.push((if is_cleared { "user.limits.cleared" } else { "user.limits.set" }, table));
    }
    all
}

/// RabbitMQ tells of the permissions in it first.
fn of_deleted_vhost(before: &Snapshot, name: &str) -> Vec<Made> {
    let within = before.permissions.iter().filter(|permission| permission.vhost == name);
    let mut all: Vec<Made> = within
        .map(|permission| {
            let of = fields([by(), ("vhost", text(name)), ("user", text(&permission.user))]);
            ("permission.deleted", of)
        })
        .collect();
    all.push(("vhost.deleted", fields([by(), ("name", text(name))])));
    all
}

/// What a policy says, in the order of the event's fields.
pub(super) fn policy_terms(policy: &PolicyDefinition) -> FieldTable {
    fields([
        ("apply-to", text(policy.apply_to.as_str())),
        ("priority", FieldValue::I64(policy.priority)),
        ("definition", FieldValue::Table(policy.definition.clone())),
        ("pattern", text(&policy.pattern)),
    ])
}

fn of_policy(policy: &PolicyDefinition) -> Vec<Made> {
    let mut all = Vec::new();
    let terms = policy_terms(policy);
    if policy.kind == PolicyKind::Operator {
        let value = FieldValue::Table(terms.clone());
        all.push(("parameter.set", parameter(&policy.vhost, OPERATOR_POLICY, &policy.name, Some(&value))));
    }
    let mut table = terms;
    let rest = fields([by(), ("vhost", text(&policy.vhost)), ("name", text(&policy.name))]);
    rest.into_iter().for_each(|(name, value)| table.insert(name, value));
    all.push(("policy.set", table));
    all
}

fn of_cleared_policy(vhost: &str, kind: PolicyKind, name: &str) -> Vec<Made> {
    let of = || fields([by(), ("vhost", text(vhost)), ("name", text(name))]);
    match kind {
        PolicyKind::User => vec![("policy.cleared", of())],
        PolicyKind::Operator => vec![
            ("parameter.cleared", parameter(vhost, OPERATOR_POLICY, name, None)),
            ("operator.policy.cleared", of()),
        ],
    }
}

fn of_parameter(vhost: &str, component: &str, name: &str, value: &FieldValue) -> Vec<Made> {
    let mut all = vec![("parameter.set", parameter(vhost, component, name, Some(value)))];
    if component == VHOST_LIMITS {
        let mut table = value.as_table().cloned().unwrap_or_default();
        let rest = fields([by(), ("name", text(name))]);
        rest.into_iter().for_each(|(name, value)| table.insert(name, value));
        all.push(("vhost.limits.set", table));
    }
    all
}

fn parameter(vhost: &str, component: &str, name: &str, value: Option<&FieldValue>) -> FieldTable {
    let mut table = fields([by()]);
    if let Some(value) = value {
        table.insert("value", value.clone());
    }
    let rest = fields([("name", text(name)), ("component", text(component)), ("vhost", text(vhost))]);
    rest.into_iter().for_each(|(name, value)| table.insert(name, value));
    table
}
