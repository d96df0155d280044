//! `doctor`: looks at a running broker and says what is risky, and what to do about it.
//!
//! It reads what the HTTP API shows, so it can look at a broker anywhere; every rule is a function from those facts to
//! findings, and changes nothing.

mod access;
mod consumers;
mod facts;
mod node;
mod queues;
mod settings;
#[cfg(test)]
mod tests;

use crate::context::{Context, print};
use crate::exit::{self, Failure};
use crate::formatter::Formatter;
use facts::Facts;
use serde_json::{Value, json};

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Worth knowing.
    Info,
    /// Can go wrong.
    Warning,
    /// Goes wrong now, or stands open to everybody.
    Critical,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }

    fn named(name: &str) -> Option<Severity> {
        [Severity::Info, Severity::Warning, Severity::Critical].into_iter().find(|severity| severity.name() == name)
    }
}

/// Something risky.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// The rule's name, which stays the same, for scripts.
    pub(crate) rule: &'static str,
    /// What is risky, in a line.
    pub(crate) what: String,
    /// What it is about.
    pub(crate) objects: Vec<String>,
    /// What to do, with the command where there is one.
    pub(crate) advice: String,
}

/// Objects of a finding that are shown.
const SHOWN: usize = 5;

type Rule = fn(&Facts) -> Vec<Finding>;

const RULES: &[Rule] = &[
    node::alarms,
    node::near_watermark,
    node::descriptors,
    node::sync,
    node::plain_listeners,
    node::certificates,
    node::churn,
    queues::unbounded,
    queues::nowhere_to_go,
    queues::deprecated_arguments,
    queues::deprecated_features,
    consumers::unlimited_prefetch,
    consumers::old_unacknowledged,
    access::default_passwords,
    access::weak_hashes,
    access::without_password,
    access::administrators,
    settings::low_disk_limit,
    settings::open_default_user,
    settings::uncached_backends,
    settings::mirrored_policies,
    settings::keys_without_effect,
];

/// Everything that the rules find, the worst first.
fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(facts)).collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// Runs the rules and prints what they find; fails where something is as bad as `--fail-on`, or worse.
pub(crate) fn run(context: &Context<'_>) -> Result<(), Failure> {
    let limit = match context.option("fail-on").unwrap_or("critical") {
        "never" => None,
        name => Some(Severity::named(name).ok_or_else(|| {
            context.invalid("Bad argument: --fail-on is one of never, info, warning, critical", exit::DATA_ERROR)
        })?),
    };
    let node = context.node_name()?;
    context.banner(&format!("Examining node {node} ..."))?;
    let findings = examine(&Facts::read(context)?);
    match context.arguments.formatter {
        Formatter::Json | Formatter::JsonStream => print(&format!("{}\n", json_of(node, &findings)))?,
        _ => print(&describe(&findings))?,
    }
    let worst = findings.iter().map(|finding| finding.severity).max();
    if limit.is_some_and(|limit| worst.is_some_and(|worst| worst >= limit)) {
        let counted = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        let text = format!(
            "{} critical, {} warnings, {} remarks",
            counted(Severity::Critical),
            counted(Severity::Warning),
            counted(Severity::Info)
        );
        return Err(Failure::new(exit::UNAVAILABLE, text));
    }
    Ok(())
}

fn json_of(node: &str, findings: &[Finding]) -> Value {
    let show = |finding: &Finding| {
        json!({
            "severity": finding.severity.name(),
            "rule": finding.rule,
            "what": finding.what,
            "objects": finding.objects.iter().take(SHOWN).collect::<Vec<_>>(),
            "object_count": finding.objects.len(),
            "advice": finding.advice,
        })
    };
    json!({ "node": node, "findings": findings.iter().map(show).collect::<Value>() })
}

fn describe(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "Nothing risky was found\n".to_owned();
    }
    findings
        .iter()
        .map(|finding| {
            let mut text = format!("[{}] {} ({})\n", finding.severity.name(), finding.what, finding.rule);
            if !finding.objects.is_empty() {
                let shown = finding.objects.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
                let more = finding.objects.len().saturating_sub(SHOWN);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                text.push_str(&format!("    {shown}{more}\n"));
            }
            text.push_str(&format!("    {}\n", finding.advice));
            text
        })
        .collect()
}

/// A finding about objects, where there are any.
fn about(severity: Severity, rule: &'static str, what: &str, objects: Vec<String>, advice: &str) -> Vec<Finding> {
    if objects.is_empty() {
        return Vec::new();
    }
    vec![Finding { severity, rule, what: what.to_owned(), objects, advice: advice.to_owned() }]
}

/// A finding about the node.
fn of_node(severity: Severity, rule: &'static str, what: String, advice: &str) -> Finding {
    Finding { severity, rule, what, objects: Vec::new(), advice: advice.to_owned() }
}
