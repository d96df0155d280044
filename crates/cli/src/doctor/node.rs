//! Rules about the node: memory, disk, descriptors, listeners, churn.

use super::facts::{Facts, number, text};
use super::{Finding, Severity, about, of_node};
use std::net::IpAddr;

/// A resource of which so much is used is nearly used up.
const NEARLY: f64 = 0.8;
/// Descriptors below which a busy broker runs out of them; RabbitMQ's recommendation.
const DESCRIPTORS: f64 = 65_536.0;
/// Connections and channels opened in a second that a client with a pool would not need.
const CONNECTIONS_PER_S: f64 = 10.0;
const CHANNELS_PER_S: f64 = 100.0;

pub(super) fn alarms(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if facts.node["mem_alarm"] == true {
        let what = "the memory alarm is on: publishers wait".to_owned();
        let advice = "consume or purge what waits, or allow more: leveret ctl set_vm_memory_high_watermark 0.6";
        findings.push(of_node(Severity::Critical, "memory_alarm", what, advice));
    }
    if facts.node["disk_free_alarm"] == true {
        let what = "the disk alarm is on: publishers wait".to_owned();
        let advice =
            "free space where the data directory is, or consume what waits: leveret ctl list_queues name messages";
        findings.push(of_node(Severity::Critical, "disk_alarm", what, advice));
    }
    findings
}

pub(super) fn near_watermark(facts: &Facts) -> Vec<Finding> {
    let (mut findings, node) = (Vec::new(), &facts.node);
    let [used, limit] = ["/mem_used", "/mem_limit"].map(|way| number(node, way));
    if limit > 0.0 && used >= NEARLY * limit && node["mem_alarm"] != true {
        let what =
            format!("{:.0} % of the memory is used that may be used before publishers wait", 100.0 * used / limit);
        let advice = "see what takes it: leveret diagnostics memory_breakdown";
        findings.push(of_node(Severity::Warning, "memory_near_watermark", what, advice));
    }
    let [free, least] = ["/disk_free", "/disk_free_limit"].map(|way| number(node, way));
    if least > 0.0 && free < 2.0 * least && node["disk_free_alarm"] != true {
        let what =
            format!("{:.1} GB are free on the disk, and publishers wait below {:.1} GB", free / 1e9, least / 1e9);
        findings.push(of_node(Severity::Warning, "disk_near_limit", what, "free space, or move the data directory"));
    }
    findings
}

pub(super) fn descriptors(facts: &Facts) -> Vec<Finding> {
    let [used, limit] = ["/fd_used", "/fd_total"].map(|way| number(&facts.node, way));
    let advice = "raise it: LimitNOFILE=65536 in the service's unit, or ulimit -n 65536";
    if limit > 0.0 && used >= NEARLY * limit {
        let what = format!("{used:.0} of {limit:.0} file descriptors are used");
        return vec![of_node(Severity::Critical, "file_descriptors", what, advice)];
    }
    if limit > 0.0 && limit < DESCRIPTORS {
        let what = format!("only {limit:.0} file descriptors may be used");
        return vec![of_node(Severity::Info, "file_descriptors", what, advice)];
    }
    Vec::new()
}

pub(super) fn sync(facts: &Facts) -> Vec<Finding> {
    let found = Some("leveret.sync").filter(|key| facts.configured(key) == Some("never"));
    let finding = |key: &str| {
        let what = "messages are never synced: a power cut loses what was confirmed".to_owned();
        of_node(Severity::Warning, "never_synced", what, &format!("remove {key} = never from the configuration"))
    };
    found.map(finding).into_iter().collect()
}

pub(super) fn plain_listeners(facts: &Facts) -> Vec<Finding> {
    let is_open = |address: &str| address.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified());
    let plain = facts.listeners.iter().filter(|listener| ["amqp", "http"].contains(&listener.protocol.as_str()));
    let open = plain.filter(|listener| is_open(&listener.address));
    about(
        Severity::Info,
        "plain_listener",
        "passwords and messages come unencrypted to every address of this host",
        open.map(|listener| format!("{} {}:{}", listener.protocol, listener.interface(), listener.port)).collect(),
        "listen with TLS (listeners.ssl.default, ssl_options.*), or on one address (listeners.tcp.default = 127.0.0.1:5672)",
    )
}

pub(super) fn certificates(facts: &Facts) -> Vec<Finding> {
    let Some(answer) = &facts.certificates else { return Vec::new() };
    let listeners = answer["expired"].as_array().into_iter().flatten();
    let objects = listeners
        .map(|listener| format!("{} {}:{}", text(listener, "protocol"), text(listener, "interface"), listener["port"]));
    let what = text(answer, "reason").trim_end_matches('.');
    let what = if what.is_empty() { "certificates of listeners end within 30 days" } else { what };
    about(
        Severity::Warning,
        "certificate_expiration",
        what,
        objects
            .collect::<Vec<_>>()
            .into_iter()
            .chain(answer["expired"].is_null().then(|| "listeners".to_owned()))
            .collect(),
        "replace the files and reload them: leveret ctl reload",
    )
}

pub(super) fn churn(facts: &Facts) -> Vec<Finding> {
    let rate = |of: &str| number(&facts.overview, &format!("/churn_rates/{of}_created_details/rate"));
    let mut findings = Vec::new();
    let advice =
        "let clients keep them open: leveret ctl list_connections user peer_host client_properties connected_at";
    for (of, plural, limit) in
        [("connection", "connections", CONNECTIONS_PER_S), ("channel", "channels", CHANNELS_PER_S)]
    {
        if rate(of) > limit {
            let what = format!("{:.0} {plural} are opened in a second", rate(of));
            let rule = if of == "connection" { "connection_churn" } else { "channel_churn" };
            findings.push(of_node(Severity::Warning, rule, what, advice));
        }
    }
    findings
}
