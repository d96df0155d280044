//! The definitions' way from one broker to the other.

use crate::api::Api;
use crate::plan::{self, Findings};
use crate::{Options, Outcome, agreed};
use anyhow::{Context, Result, bail};
use serde_json::Value;

const PATH: &str = "/api/definitions";
const DRY_RUN: &str = "/api/definitions?dry_run=true";

/// Reads the definitions, shows what becomes of them, and imports them.
pub(crate) fn import(options: &Options, source: Option<&Api>, target: &Api) -> Result<Outcome> {
    let mut definitions = read(options, source)?;
    if let Some(vhost) = &options.vhost {
        plan::only_vhost(&mut definitions, vhost);
    }
    let findings = plan::rewrite(&mut definitions, stands_in_for_quorum(target)?);
    show(&findings);
    if !findings.special.is_empty() && !options.quorum_as_classic && !options.dry_run {
        bail!(
            "{} of these are no classic queues, and nothing was changed: take each as a durable classic queue with \
             --quorum-as classic",
            findings.special.len()
        );
    }
    let entries = planned(target, &definitions)?;
    let refused: Vec<Value> = entries.iter().filter(|entry| action(entry) == "refuse").cloned().collect();
    for entry in &refused {
        let reason = entry.get("reason").and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
        println!("refused: {}: {reason}", label(entry));
    }
    if options.dry_run {
        show_plan(&entries);
        let is_clean = refused.is_empty() && (findings.special.is_empty() || options.quorum_as_classic);
        return Ok(if is_clean { Outcome::Complete } else { Outcome::Different });
    }
    if !refused.is_empty() && !options.leave_out_refused {
        bail!(
            "the new broker refuses {} of these objects, and nothing was changed: mend them at the old one, or leave \
             them out with --leave-out-refused",
            refused.len()
        );
    }
    plan::leave_out(&mut definitions, &refused);
    let what = plan::summary(&definitions);
    if !agreed(options, &format!("Import {what} into {}?", target.name()))? {
        bail!("nothing was changed");
    }
    target.change("POST", PATH, &definitions).context("the import ended early; it can be repeated")?;
    println!("imported {what}");
    Ok(if refused.is_empty() { Outcome::Complete } else { Outcome::Different })
}

fn read(options: &Options, source: Option<&Api>) -> Result<Value> {
    if let Some(source) = source {
        let overview = source.get("/api/overview").context("the old broker does not answer")?;
        let text = |key: &str| overview.get(key).and_then(Value::as_str);
        let product = text("product_name").unwrap_or("RabbitMQ");
        let version = text("product_version").or(text("rabbitmq_version")).or(text("lavinmq_version"));
        println!("reading definitions of {product} {} at {}", version.unwrap_or_default(), source.name());
        return source.get(PATH);
    }
    let path = options.file.as_deref().context("there is no file of definitions")?;
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    serde_json::from_str(text).with_context(|| format!("{} is not JSON", path.display()))
}

/// Whether the new broker takes declarations of quorum queues (`leveret.quorum_as_classic`).
fn stands_in_for_quorum(target: &Api) -> Result<bool> {
    let entries = planned(target, &plan::probe())?;
    Ok(entries.iter().all(|entry| action(entry) != "refuse"))
}

/// What the new broker would do.
fn planned(target: &Api, definitions: &Value) -> Result<Vec<Value>> {
    match target.change("POST", DRY_RUN, definitions).context("the new broker cannot say what it would import")? {
        Value::Array(entries) => Ok(entries),
        _ => bail!("{} is no Leveret: it knows no dry run", target.name()),
    }
}

fn action(entry: &Value) -> &str {
    entry.get("action").and_then(Value::as_str).unwrap_or_default()
}

fn label(entry: &Value) -> String {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let vhost = text("vhost").map(|vhost| format!(" in vhost '{vhost}'")).unwrap_or_default();
    format!("{} '{}'{vhost}", text("type").unwrap_or_default(), text("name").unwrap_or_default())
}

fn show(findings: &Findings) {
    for line in &findings.special {
        println!("not classic: {line}");
    }
    for line in &findings.left_out {
        println!("left out: {line}");
    }
}

/// What would be done, and how often; objects that exist otherwise are named.
fn show_plan(entries: &[Value]) {
    for entry in entries {
        let different = entry.get("different").and_then(Value::as_array).cloned().unwrap_or_default();
        let fields: Vec<&str> = different.iter().filter_map(Value::as_str).collect();
        match (action(entry), fields.is_empty()) {
            ("change", _) => println!("would change: {}: {}", label(entry), fields.join(", ")),
            ("keep", false) => println!("would keep as it is: {}, whose {} differ", label(entry), fields.join(", ")),
            _ => {}
        }
    }
    let count = |wanted: &str| entries.iter().filter(|entry| action(entry) == wanted).count();
    println!(
        "dry run: {} to create, {} to change, {} to keep, {} to skip, {} refused; nothing was changed",
        count("create"),
        count("change"),
        count("keep"),
        count("skip"),
        count("refuse")
    );
}
