//! The name and the tags of the cluster, which the configuration sets at every start, as RabbitMQ does.

use amqp::{FieldTable, FieldValue};
use anyhow::{Context, Result};
use broker::{AdminCommand, Broker};
use config::Config;
use metadata::GlobalParameterDefinition;

const NAME: &str = "cluster_name";
const TAGS: &str = "cluster_tags";

/// Makes them global parameters, where definitions have them; what the configuration does not say stays as it is.
pub(crate) fn name_and_tag(config: &Config, broker: &Broker) -> Result<()> {
    let name = config.cluster_name.clone().map(|name| FieldValue::LongString(name.into_bytes()));
    let mut tags = FieldTable::new();
    for (tag, value) in &config.cluster_tags {
        tags.insert(tag, value.as_str());
    }
    let tags = (!config.cluster_tags.is_empty()).then_some(FieldValue::Table(tags));
    for (parameter, value) in [(NAME, name), (TAGS, tags)] {
        let Some(value) = value.filter(|value| broker.global_parameter(parameter).as_ref() != Some(value)) else {
            continue;
        };
        let definition = GlobalParameterDefinition { name: parameter.to_owned(), value };
        broker
            .execute(AdminCommand::SetGlobalParameter(definition))
            .with_context(|| format!("cannot set the global parameter `{parameter}`"))?;
    }
    Ok(())
}
