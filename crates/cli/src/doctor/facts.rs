//! What the rules look at.

use crate::context::{Context, RequestError};
use crate::exit::Failure;
use crate::listeners::Listener;
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

/// What the HTTP API shows of a broker.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) overview: Value,
    pub(super) node: Value,
    pub(super) listeners: Vec<Listener>,
    pub(super) queues: Vec<Value>,
    pub(super) channels: Vec<Value>,
    pub(super) consumers: Vec<Value>,
    pub(super) users: Vec<Value>,
    pub(super) loopback_users: Vec<String>,
    /// Names of features in use that RabbitMQ is going to do without.
    pub(super) deprecated: Vec<String>,
    /// The answer of the check of certificates, where it failed.
    pub(super) certificates: Option<Value>,
    /// Keys and values, where the broker tells.
    pub(super) configuration: Vec<(String, String)>,
    /// Keys that were given and mean nothing here, with where each comes from.
    pub(super) without_effect: Vec<String>,
    /// Policies and operator policies.
    pub(super) policies: Vec<Value>,
    /// Seconds since 1970.
    pub(super) now_s: u64,
}

/// Certificates that end within so many days are found.
const CERTIFICATE_DAYS: u32 = 30;

impl Facts {
    pub(super) fn read(context: &Context<'_>) -> Result<Facts, Failure> {
        let overview = context.get("/api/overview")?;
        let nodes = context.get("/api/nodes")?;
        let check = format!("/api/health/checks/certificate-expiration/{CERTIFICATE_DAYS}/days");
        let certificates = match context.get(&check) {
            Err(RequestError::Refused(refusal)) if refusal.body["status"] == "failed" => Some(refusal.body),
            Err(RequestError::Unreachable(failure)) => return Err(failure),
            _ => None,
        };
        // What an older broker does not tell is not examined.
        let optional = |path: &str| context.get(path).unwrap_or_default();
        let texts = |list: &Value, field: &str| -> Vec<String> {
            let items = list.as_array().into_iter().flatten();
            items.filter_map(|item| item.as_str().or(item[field].as_str())).map(str::to_owned).collect()
        };
        let configuration = optional("/api/leveret/configuration?all=true");
        let rows = configuration["settings"].as_array();
        let pairs = rows
            .into_iter()
            .flatten()
            .filter_map(|row| Some((row["key"].as_str()?.to_owned(), crate::value::cell(&row["value"]))));
        let idle = rows.into_iter().flatten().filter(|row| row["effect"] == false && text(row, "origin") != "default");
        let idle = idle.map(|row| format!("{} ({})", text(row, "key"), text(row, "origin")));
        let policies = ["/api/policies", "/api/operator-policies"].map(optional);
        Ok(Facts {
            without_effect: idle.collect(),
            policies: policies.iter().filter_map(Value::as_array).flatten().cloned().collect(),
            listeners: Listener::of(&overview),
            node: nodes[0].clone(),
            queues: context.list("/api/queues")?,
            channels: context.list("/api/channels")?,
            consumers: context.list("/api/consumers")?,
            users: context.list("/api/users")?,
            loopback_users: texts(&optional("/api/leveret/loopback-users"), "name"),
            deprecated: texts(&optional("/api/deprecated-features/used"), "name"),
            certificates,
            configuration: pairs.collect(),
            now_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            overview,
        })
    }

    /// The value of a key of the configuration.
    pub(super) fn configured(&self, key: &str) -> Option<&str> {
        self.configuration.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// A text of an object.
pub(super) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

/// A number at a JSON pointer; 0 where there is none.
pub(super) fn number(object: &Value, way: &str) -> f64 {
    object.pointer(way).and_then(Value::as_f64).unwrap_or_default()
}

/// `name in vhost`, without the default virtual host.
pub(super) fn named(object: &Value) -> String {
    match text(object, "vhost") {
        "" | "/" => text(object, "name").to_owned(),
        vhost => format!("{} in {vhost}", text(object, "name")),
    }
}

/// Seconds since 1970 of a time as RabbitMQ writes it: `2026-11-25T04:28:37.000+00:00`, or `2026-11-25 4:28:37` before.
pub(super) fn seconds(time: &str) -> Option<u64> {
    let mut numbers =
        time.split(|character: char| !character.is_ascii_digit()).filter_map(|part| part.parse::<i64>().ok());
    let mut next = || numbers.next();
    let (year, month, day) = (next()?, next()?, next()?);
    let (hour, minute, second) = (next()?, next()?, next()?);
    // Days since 1970 of the proleptic Gregorian calendar, with years that begin in March.
    let (years, months) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = years * 365 + years.div_euclid(4) - years.div_euclid(100)
        + years.div_euclid(400)
        + (153 * months + 2) / 5
        + day
        - 1
        - 719_468;
    u64::try_from(days * 86_400 + hour * 3600 + minute * 60 + second).ok()
}
