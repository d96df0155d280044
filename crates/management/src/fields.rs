//! The JSON object of one row of a list, of which only the wanted fields are made.

use serde_json::{Map, Value};

/// Which fields of an object are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wanted {
    #[default]
    All,
    /// Paths such as `message_stats.publish_details.rate`, in segments.
    Paths(Vec<Vec<String>>),
}

/// The segments of a path; RabbitMQ passes over empty ones.
pub(crate) fn segments(path: &str) -> Vec<String> {
    path.split('.').filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
}

impl Wanted {
    /// Paths joined by commas, as in `columns=name,message_stats.publish`; an empty text wants everything.
    pub(crate) fn parse(text: &str) -> Wanted {
        let paths: Vec<Vec<String>> = text.split(',').map(segments).filter(|path| !path.is_empty()).collect();
        if paths.is_empty() { Wanted::All } else { Wanted::Paths(paths) }
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        match self {
            Wanted::All => true,
            Wanted::Paths(paths) => paths.iter().any(|path| path.first().is_some_and(|first| first == name)),
        }
    }
}

/// An object that is being made, or what of it is asked for to sort and filter by.
pub(crate) struct Fields<'a>(Target<'a>);

enum Target<'a> {
    Object { wanted: &'a Wanted, object: Map<String, Value> },
    Probe { names: &'a [&'a str], found: Vec<Option<Value>> },
}

impl<'a> Fields<'a> {
    pub(crate) fn new(wanted: &'a Wanted) -> Fields<'a> {
        Fields(Target::Object { wanted, object: Map::new() })
    }

    /// Makes no object, but keeps the values of these fields, for [`Fields::into_found`].
    pub(crate) fn probe(names: &'a [&'a str]) -> Fields<'a> {
        Fields(Target::Probe { names, found: vec![None; names.len()] })
    }

    /// True when somebody wants the field.
    pub(crate) fn wants(&self, name: &str) -> bool {
        match &self.0 {
            Target::Object { wanted, .. } => wanted.wants(name),
            Target::Probe { names, .. } => names.contains(&name),
        }
    }

    /// Adds a field; `value` is asked for only where somebody wants it, which is what makes a page of a sorted list of
    /// thousands cheap.
    pub(crate) fn put<V: Into<Value>>(&mut self, name: &str, value: impl FnOnce() -> V) {
        match &mut self.0 {
            Target::Object { wanted, object } => {
                if wanted.wants(name) {
                    object.insert(name.to_owned(), value().into());
                }
            }
            Target::Probe { names, found } => {
                let mut places = names.iter().zip(found).filter(|(wanted, _)| **wanted == name).map(|(_, place)| place);
                let Some(first) = places.next() else { return };
                let value = value().into();
                places.for_each(|place| *place = Some(value.clone()));
                *first = Some(value);
            }
        }
    }

    /// The object, with nothing in it that no path leads to.
    pub(crate) fn finish(self) -> Value {
        match self.0 {
            Target::Object { wanted: Wanted::Paths(paths), object } => {
                let paths: Vec<&[String]> = paths.iter().map(Vec::as_slice).collect();
                prune(Value::Object(object), &paths)
            }
            Target::Object { object, .. } => Value::Object(object),
            Target::Probe { .. } => Value::Null,
        }
    }

    /// The values of a probe, in the order of its names.
    pub(crate) fn into_found(self) -> Vec<Option<Value>> {
        match self.0 {
            Target::Probe { found, .. } => found,
            Target::Object { .. } => Vec::new(),
        }
    }
}

/// What the paths lead to; a path that ends at an object wants all of it, and one into a list goes into each member.
fn prune(value: Value, paths: &[&[String]]) -> Value {
    if paths.iter().any(|path| path.is_empty()) {
        return value;
    }
    match value {
        Value::Object(object) => {
            let kept = object.into_iter().filter_map(|(name, value)| {
                let below: Vec<&[String]> = paths
                    .iter()
                    .filter(|path| path.first().is_some_and(|first| *first == name))
                    .map(|path| &path[1..])
                    .collect();
                (!below.is_empty()).then(|| (name, prune(value, &below)))
            });
            Value::Object(kept.collect())
        }
        Value::Array(values) => values.into_iter().map(|value| prune(value, paths)).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn made(columns: &str) -> Value {
        let wanted = Wanted::parse(columns);
        let mut fields = Fields::new(&wanted);
        fields.put("name", || "a");
        fields.put("stats", || json!({ "publish": 1, "publish_details": { "rate": 0.5 } }));
        fields.finish()
    }

    #[test]
    fn columns_choose_fields_and_what_is_in_them() {
        assert_eq!(made(""), json!({ "name": "a", "stats": { "publish": 1, "publish_details": { "rate": 0.5 } } }));
        assert_eq!(made("name"), json!({ "name": "a" }));
        assert_eq!(made("stats.publish_details.rate,nope"), json!({ "stats": { "publish_details": { "rate": 0.5 } } }));
        assert_eq!(
            made("stats,stats.publish"),
            json!({ "stats": { "publish": 1, "publish_details": { "rate": 0.5 } } })
        );
    }

    #[test]
    fn what_is_not_wanted_is_not_made() {
        let wanted = Wanted::parse("name");
        let mut fields = Fields::new(&wanted);
        fields.put("messages", || -> u64 { panic!("nobody asked for it") });
        assert_eq!(fields.finish(), json!({}));
    }

    #[test]
    fn a_probe_keeps_the_fields_that_are_asked_for_and_makes_no_others() {
        let names = ["name", "missing", "name"];
        let mut fields = Fields::probe(&names);
        fields.put("name", || "a");
        fields.put("messages", || -> u64 { panic!("nobody asked for it") });
        assert_eq!(fields.into_found(), [Some(json!("a")), None, Some(json!("a"))]);
    }
}
