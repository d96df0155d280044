//! RabbitMQ's own dashboards and alert rules find their series.
//!
//! `expressions.tsv` lists what they ask for; `extract.py` beside it makes the list from RabbitMQ's repositories.

use crate::metrics::{Series, scrape, traffic};
use crate::support::start;
use regex::Regex;

const EXPRESSIONS: &str = include_str!("dashboards/expressions.tsv");
const COMPAT: &str = include_str!("../../../../COMPAT.md");

/// Names that begin like this have no series here, and why; COMPAT.md has a row that names the first word of the reason.
const WITHOUT: [(&str, &str); 11] = [
    ("erlang_vm_", "`erlang_vm_*`"),
    ("rabbitmq_raft_", "`rabbitmq_raft_*`"),
    ("rabbitmq_global_stream_error_", "`protocol=\"stream\"`"),
    ("perftest_", ""),
    ("container_", ""),
    ("node_", ""),
    ("kube_", ""),
    ("ALERTS", ""),
    ("rabbitmq_detailed_raft_", "`rabbitmq_raft_*`"),
    ("go_", ""),
    ("up", ""),
];

struct Expression<'a> {
    dashboard: &'a str,
    metric: &'a str,
    matchers: Vec<(&'a str, &'a str, &'a str)>,
}

fn expressions() -> Vec<Expression<'static>> {
    let lines = EXPRESSIONS.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let mut fields = line.split('\t');
            let mut next = || fields.next().unwrap_or_else(|| panic!("three fields: {line}"));
            let (dashboard, metric, matchers) = (next(), next(), next());
            Expression { dashboard, metric, matchers: matchers.split_terminator("\",").map(matcher).collect() }
        })
        .collect()
}

/// `label=~"pattern"`, without the quote at the end.
fn matcher(text: &'static str) -> (&'static str, &'static str, &'static str) {
    let text = text.strip_suffix('"').unwrap_or(text);
    let (head, value) = text.split_once('"').unwrap_or_else(|| panic!("no matcher: {text}"));
    let label = head.trim_end_matches(['=', '~', '!']);
    (label, &head[label.len()..], value)
}

impl Expression<'_> {
    fn matches(&self, series: &Series) -> bool {
        series.name == self.metric
            && self.matchers.iter().all(|(label, operator, value)| {
                let own = series.label(label);
                let matches = || Regex::new(&format!("^(?:{value})$")).unwrap().is_match(own);
                match *operator {
                    "=" => own == *value,
                    "!=" => own != *value,
                    "=~" => matches(),
                    "!~" => !matches(),
                    other => panic!("no operator: {other}"),
                }
            })
    }

    /// Why it has no series here, if it need not have one.
    fn exception(&self) -> Option<&'static str> {
        let is_of_streams = self.matchers.contains(&("protocol", "=", "stream"));
        let by_name = || WITHOUT.iter().find(|(prefix, _)| self.metric.starts_with(prefix)).map(|(_, row)| *row);
        if is_of_streams { Some("`protocol=\"stream\"`") } else { by_name() }
    }
}

#[test]
fn every_expression_finds_its_series() {
    let broker = start(&[]);
    let _client = traffic(&broker);
    let mut all = scrape(&broker, "/metrics");
    all.extend(scrape(&broker, "/metrics/detailed?family=queue_coarse_metrics&family=queue_consumer_count"));
    let expressions = expressions();
    assert!(expressions.len() > 150, "the list is not whole: {}", expressions.len());
    let mut missing = Vec::new();
    for expression in &expressions {
        let is_there = all.iter().any(|series| expression.matches(series));
        if !is_there && expression.exception().is_none() {
            missing.push(format!("{}: {} {:?}", expression.dashboard, expression.metric, expression.matchers));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn what_has_no_series_is_in_compat() {
    let mut rows: Vec<&str> = expressions().iter().filter_map(Expression::exception).collect();
    rows.sort_unstable();
    rows.dedup();
    for row in rows.into_iter().filter(|row| !row.is_empty()) {
        assert!(COMPAT.contains(row), "no row with {row} in COMPAT.md");
    }
}
