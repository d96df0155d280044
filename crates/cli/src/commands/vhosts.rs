//! Virtual hosts.

use super::lists;
use crate::context::{Context, RequestError};
use crate::exit::{self, Failure};
use crate::http::segment;
use serde_json::json;

pub(super) fn add(context: &Context<'_>) -> Result<(), Failure> {
    let name = context.argument(0);
    context.banner(&format!("Adding vhost \"{name}\" ..."))?;
    context.put(&format!("/api/vhosts/{}", segment(name)), &json!({}))?;
    Ok(())
}

pub(super) fn delete(context: &Context<'_>) -> Result<(), Failure> {
    let name = context.argument(0);
    context.banner(&format!("Deleting vhost \"{name}\" ..."))?;
    context.delete(&format!("/api/vhosts/{}", segment(name))).map(drop).map_err(|error| no_vhost(error, name))
}

pub(super) fn list(context: &Context<'_>) -> Result<(), Failure> {
    lists::print(context, &lists::VHOSTS, "Listing vhosts ...", "/api/vhosts")
}

/// The failure of a command whose virtual host does not exist, in the words that most commands have.
pub(super) fn no_vhost(error: RequestError, name: &str) -> Failure {
    match error {
        RequestError::Refused(refusal) if refusal.status == 404 => {
            Failure::new(exit::DATA_ERROR, format!("Virtual host '{name}' does not exist"))
        }
        other => other.into(),
    }
}
