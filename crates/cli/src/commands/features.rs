//! Feature flags and deprecated features.

use super::lists::{Listing, print};
use super::{ANY, Command, command};
use crate::context::{Context, RequestError};
use crate::exit::{self, Failure};
use crate::http::segment;
use crate::sections::Section;
use crate::tool::Tools;
use serde_json::json;

pub(super) const COMMANDS: &[Command] = &[
    command("list_feature_flags", (0, ANY), "[<column> ...] [--timeout <timeout>]", "Lists feature flags", list),
    command(
        "enable_feature_flag",
        (1, 1),
        "[--opt-in] [--experimental] <all | feature_flag>",
        "Enables a feature flag, or all",
        enable,
    ),
    command(
        "list_deprecated_features",
        (0, ANY),
        "[--used] [<column> ...]",
        "Lists features that RabbitMQ is going to do without",
        deprecated,
    ),
    command(
        "check_if_any_deprecated_features_are_used",
        (0, 0),
        "[--timeout <timeout>]",
        "Fails when a feature is in use that RabbitMQ is going to do without",
        check_deprecated,
    )
    .of(Tools::LOOKING)
    .under(Section::Monitoring),
];

const FLAGS: Listing = Listing {
    columns: &[
        ("name", "/name"),
        ("state", "/state"),
        ("stability", "/stability"),
        ("provided_by", "/provided_by"),
        ("desc", "/desc"),
        ("doc_url", "/doc_url"),
        ("require_level", "/require_level"),
    ],
    defaults: &["name", "state"],
};

const DEPRECATED: Listing = Listing {
    columns: &[
        ("name", "/name"),
        ("deprecation_phase", "/deprecation_phase"),
        ("provided_by", "/provided_by"),
        ("desc", "/desc"),
        ("doc_url", "/doc_url"),
        ("state", "/state"),
    ],
    defaults: &["name", "deprecation_phase"],
};

fn list(context: &Context<'_>) -> Result<(), Failure> {
    print(context, &FLAGS, "Listing feature flags ...", "/api/feature-flags")
}

fn enable(context: &Context<'_>) -> Result<(), Failure> {
    let name = context.argument(0);
    if name.is_empty() {
        let problem = "Bad argument: feature_flag cannot be an empty string.";
        return Err(context.invalid(problem, exit::DATA_ERROR));
    }
    if name == "all" {
        context.banner("Enabling all feature flags ...")?;
        // All are enabled from the start; only a broker that runs may say so.
        context.list("/api/feature-flags")?;
        return context.done(json!({}));
    }
    context.banner(&format!("Enabling feature flag \"{name}\" ..."))?;
    match context.put(&format!("/api/feature-flags/{}/enable", segment(name)), &json!({})) {
        Ok(_) => context.done(json!({})),
        Err(RequestError::Refused(refusal)) if refusal.status == 400 => {
            let text = format!("This feature flag is not supported by node {}", context.node_name()?);
            Err(Failure::error(exit::USAGE, text))
        }
        Err(error) => Err(error.into()),
    }
}

fn deprecated(context: &Context<'_>) -> Result<(), Failure> {
    if context.flag("used") {
        return print(context, &DEPRECATED, "Listing deprecated features in use ...", "/api/deprecated-features/used");
    }
    print(context, &DEPRECATED, "Listing deprecated features ...", "/api/deprecated-features")
}

fn check_deprecated(context: &Context<'_>) -> Result<(), Failure> {
    let node = context.node_name()?;
    context.banner(&format!("Checking if any deprecated features are used on node {node} ..."))?;
    let used = context.list("/api/deprecated-features/used")?;
    if used.is_empty() {
        return context
            .result(&json!({ "result": "ok" }), &format!("Node {node} reported no deprecated features in use"));
    }
    let names: Vec<&str> = used.iter().filter_map(|feature| feature["name"].as_str()).collect();
    let object = json!({ "result": "error", "message": "deprecated features in use", "deprecated_features": names });
    let text = format!("Error:\nNode {node} reported some deprecated features in use:\n{}", names.join("\n"));
    Err(context.failed_check(&object, &text))
}
