//! Importing a document: category after category, a batch at a time.

use super::convert::{self, Object, Parameter, Problem};
use super::{DefinitionsError, Document};
use broker::{AdminCommand, AdminError, AdminReply, Broker, ImportBatch, ImportOutcome};
use serde_json::value::RawValue;
use tracing::{info, warn};

/// Objects that become durable together. At 500 a sync costs a queue a few microseconds, and whoever waits for the
/// definitions meanwhile waits for some milliseconds.
const BATCH: usize = 500;
/// Objects between two lines in the log.
const PROGRESS: usize = 10_000;

/// What is done with what cannot be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The import ends with it, as RabbitMQ's does.
    Import,
    /// It is reported, and the import goes on; nothing is logged.
    Rehearse,
}

/// An object and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// What it is, as `queue`.
    pub(crate) kind: &'static str,
    /// Its virtual host, if it is in one.
    pub(crate) vhost: Option<String>,
    /// Its name; for a binding what it leads from and to.
    pub(crate) name: String,
    pub(crate) outcome: ImportOutcome,
}

/// Those of a category, as the document and people call them.
struct Category {
    key: &'static str,
    kind: &'static str,
    words: &'static str,
    batch: fn(&[Object<'_>], &Document<'_>) -> Vec<Part>,
}

/// A batch that was made of some objects: which ones, by their place, and those of which none could be made.
struct Part {
    places: Vec<usize>,
    batch: Result<ImportBatch, Problem>,
}

const fn category(
    key: &'static str,
    kind: &'static str,
    words: &'static str,
    batch: fn(&[Object<'_>], &Document<'_>) -> Vec<Part>,
) -> Category {
    Category { key, kind, words, batch }
}

/// RabbitMQ's order of a whole document (`rabbit_definitions:apply_defs/3`).
const CATEGORIES: [Category; 10] = [
    category("users", "user", "users", |objects, document| {
        parts(objects, |object| convert::user(object, document), ImportBatch::Users)
    }),
    category("vhosts", "vhost", "vhosts", |objects, _| parts(objects, convert::vhost, ImportBatch::Vhosts)),
    category("permissions", "permission", "permissions", |objects, _| {
        parts(objects, convert::permission, ImportBatch::Permissions)
    }),
    category("exchanges", "exchange", "exchanges", |objects, _| {
        parts(objects, convert::exchange, ImportBatch::Exchanges)
    }),
    category("topic_permissions", "topic permission", "topic permissions", |objects, _| {
        parts(objects, convert::topic_permission, ImportBatch::TopicPermissions)
    }),
    category("global_parameters", "global parameter", "global runtime parameters", |objects, _| {
        parts(objects, convert::global_parameter, ImportBatch::GlobalParameters)
    }),
    category("policies", "policy", "policies", |objects, _| parts(objects, convert::policy, ImportBatch::Policies)),
    category("parameters", "parameter", "runtime parameters", |objects, _| parameters(objects)),
    category("queues", "queue", "queues", |objects, _| parts(objects, convert::queue, ImportBatch::Queues)),
    category("bindings", "binding", "bindings", |objects, _| parts(objects, convert::binding, ImportBatch::Bindings)),
];

/// The same for a single virtual host (`apply_defs/4`).
const OF_VHOST: [&str; 5] = ["exchanges", "parameters", "policies", "queues", "bindings"];

/// Imports `document`, into the virtual host `scope` if it is of one, and tells `report` of each object.
pub(crate) fn run(
    broker: &Broker,
    document: &Document<'_>,
    scope: Option<&str>,
    mode: Mode,
    report: &mut dyn FnMut(Entry),
) -> Result<(), DefinitionsError> {
    let mut import = Import { broker, document, scope, mode, report };
    if scope.is_some() {
        import.check_limits()?;
        let categories = OF_VHOST.iter().filter_map(|key| CATEGORIES.iter().find(|category| category.key == *key));
        for category in categories {
            import.category(category)?;
        }
        return Ok(());
    }
    if document.is_of_one_vhost()? {
        warn!(
            "definitions are not imported: some queues, exchanges or bindings have no virtual host; an export of a \
             single virtual host can be imported into one only"
        );
        return Err(DefinitionsError::Refused("invalid_definitions_file".to_owned()));
    }
    for category in &CATEGORIES {
        import.category(category)?;
        if category.key == "vhosts" {
            import.check_limits()?;
        }
    }
    Ok(())
}

struct Import<'a> {
    broker: &'a Broker,
    document: &'a Document<'a>,
    scope: Option<&'a str>,
    mode: Mode,
    report: &'a mut dyn FnMut(Entry),
}

impl Import<'_> {
    /// RabbitMQ looks at limits of queues before it declares the first one.
    fn check_limits(&mut self) -> Result<(), DefinitionsError> {
        let mut queues = Vec::new();
        for raw in self.document.objects("queues")? {
            let Ok(object) = Object::read("queue", raw, self.scope) else { continue };
            queues.extend(object.place().map(|vhost| (vhost, object.name())));
        }
        match self.broker.execute(AdminCommand::CheckQueueLimits { queues }) {
            Ok(_) => Ok(()),
            Err(error) if self.mode == Mode::Rehearse => {
                let outcome = ImportOutcome::Refused(error.to_string());
                (self.report)(Entry { kind: "limit", vhost: None, name: "queues".to_owned(), outcome });
                Ok(())
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn category(&mut self, category: &Category) -> Result<(), DefinitionsError> {
        let all = self.document.objects(category.key)?;
        if all.is_empty() {
            return Ok(());
        }
        info!("importing {} {}", all.len(), category.words);
        let mut logged = 0;
        for (number, raw) in all.chunks(BATCH).enumerate() {
            self.batch(category, raw)?;
            let done = number * BATCH + raw.len();
            if done >= logged + PROGRESS && done < all.len() {
                info!("imported {done} of {} {}", all.len(), category.words);
                logged = done;
            }
        }
        Ok(())
    }

    fn batch(&mut self, category: &Category, raw: &[&RawValue]) -> Result<(), DefinitionsError> {
        let mut objects = Vec::with_capacity(raw.len());
        for raw in raw {
            objects.push(Object::read(category.kind, raw, self.scope).map_err(DefinitionsError::Refused)?);
        }
        let mut first_refusal = None;
        for part in (category.batch)(&objects, self.document) {
            let outcomes = match part.batch {
                Ok(batch) => match self.broker.execute(AdminCommand::Import(batch)).map_err(failed)? {
                    AdminReply::Imported(outcomes) => outcomes,
                    _ => Vec::new(),
                },
                Err(problem) => vec![ImportOutcome::Refused(problem)],
            };
            for (place, outcome) in part.places.into_iter().zip(outcomes) {
                let Some(object) = objects.get(place) else { continue };
                self.note(object, &outcome, &mut first_refusal);
                (self.report)(Entry { kind: object.kind, vhost: object.place(), name: object.name(), outcome });
            }
        }
        match first_refusal {
            Some(reason) if self.mode == Mode::Import => Err(DefinitionsError::Refused(reason)),
            _ => Ok(()),
        }
    }

    fn note(&self, object: &Object<'_>, outcome: &ImportOutcome, first_refusal: &mut Option<String>) {
        match outcome {
            ImportOutcome::Refused(reason) => {
                warn!("{} '{}' is not imported: {}", object.kind, object.name(), reason.replace('\n', " "));
                first_refusal.get_or_insert_with(|| reason.clone());
            }
            ImportOutcome::Skipped(reason) => info!("{} '{}' is left out: {reason}", object.kind, object.name()),
            _ => {}
        }
    }
}

fn failed(error: AdminError) -> DefinitionsError {
    match error {
        AdminError::Unavailable(reason) => DefinitionsError::Unavailable(reason),
        other => DefinitionsError::Refused(other.to_string()),
    }
}

/// One batch of those that make sense, and a part of its own for each that does not.
fn parts<T>(
    objects: &[Object<'_>],
    convert: impl Fn(&Object<'_>) -> Result<T, Problem>,
    batch: fn(Vec<T>) -> ImportBatch,
) -> Vec<Part> {
    let (mut parts, mut places, mut items) = (Vec::new(), Vec::new(), Vec::new());
    for (place, object) in objects.iter().enumerate() {
        match convert(object) {
            Ok(item) => {
                places.push(place);
                items.push(item);
            }
            Err(problem) => parts.push(Part { places: vec![place], batch: Err(problem) }),
        }
    }
    if !items.is_empty() {
        parts.push(Part { places, batch: Ok(batch(items)) });
    }
    parts
}

/// Parameters and the operator policies among them.
fn parameters(objects: &[Object<'_>]) -> Vec<Part> {
    let (mut parts, mut plain, mut policies) = (Vec::new(), (Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for (place, object) in objects.iter().enumerate() {
        match convert::parameter(object) {
            Ok(Parameter::Plain(parameter)) => {
                plain.0.push(place);
                plain.1.push(parameter);
            }
            Ok(Parameter::OperatorPolicy(policy)) => {
                policies.0.push(place);
                policies.1.push(policy);
            }
            Err(problem) => parts.push(Part { places: vec![place], batch: Err(problem) }),
        }
    }
    let (places, batch) = plain;
    parts.push(Part { places, batch: Ok(ImportBatch::Parameters(batch)) });
    let (places, batch) = policies;
    parts.push(Part { places, batch: Ok(ImportBatch::Policies(batch)) });
    parts
}
