//! The cache of authorization backends.

use super::{Command, command};
use crate::context::{Context, RequestError, print};
use crate::exit::{self, Failure};

pub(super) const COMMANDS: &[Command] = &[command(
    "clear_auth_backend_cache",
    (0, 0),
    "",
    "Clears rabbitmq_auth_backend_cache plugin's cache on the target node",
    clear,
)];

fn clear(context: &Context<'_>) -> Result<(), Failure> {
    context.banner("Will clear rabbitmq_auth_backend_cache plugin's cache on the target node...")?;
    match context.delete("/api/leveret/auth-cache") {
        Ok(_) => print(""),
        Err(RequestError::Refused(refusal)) if refusal.status == 404 => {
            Err(Failure::error(exit::UNAVAILABLE, "no chain of backends has a cache"))
        }
        Err(error) => Err(error.into()),
    }
}
