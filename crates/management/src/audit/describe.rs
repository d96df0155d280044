//! Commands as JSON, without what nobody may read in a log.

use serde_json::{Map, Number, Value, json};

/// What stands for a secret.
const HIDDEN: &str = "[hidden]";
/// Fields whose values are nobody's business.
const SECRETS: [&str; 5] = ["password", "password_hash", "hash", "secret", "token"];
/// Deeper values are left as text.
const DEEPEST: usize = 32;

/// The name of a command or a value in words with underscores, and its fields.
///
/// It is made from what `{:?}` says, so that no command can be forgotten here.
pub(super) fn describe(debug: &str) -> (String, Value) {
    let name_end = debug.find(|c: char| !c.is_alphanumeric()).unwrap_or(debug.len());
    let name = in_words(&debug[..name_end]);
    let mut reader = Reader { rest: debug };
    let value = reader.value(0).filter(|_| reader.rest.is_empty());
    let mut fields = match value {
        Some(Value::Object(mut object)) if object.len() == 1 => {
            object.values_mut().next().map(Value::take).unwrap_or_default()
        }
        Some(Value::String(_)) => json!({}),
        Some(other) => other,
        // Nothing is known of what is in it, so nothing is told.
        None => json!({ "unreadable": true }),
    };
    hide(&mut fields);
    (name, fields)
}

fn in_words(name: &str) -> String {
    let mut words = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !words.is_empty() {
            words.push('_');
        }
        words.extend(character.to_lowercase());
    }
    words
}

/// Takes secrets out: fields with such names, and credentials in URIs, which parameters of shovels and federation have.
pub(super) fn hide(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let name = name.to_ascii_lowercase();
                if !value.is_null() && SECRETS.iter().any(|secret| name.contains(secret)) {
                    *value = HIDDEN.into();
                } else {
                    hide(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(hide),
        Value::String(text) => {
            if let Some(shown) = without_credentials(text) {
                *text = shown;
            }
        }
        _ => {}
    }
}

/// A text with what stands before each `@` of a URI's authority replaced; `None` where nothing does.
fn without_credentials(text: &str) -> Option<String> {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        shown += before;
        let end = after.find(|c: char| "/?# \"'".contains(c)).unwrap_or(after.len());
        let (authority, behind) = after.split_at(end);
        match authority.rsplit_once('@') {
            Some((_, host)) => shown += &format!("{HIDDEN}@{host}"),
            None => shown += authority,
        }
        rest = behind;
    }
    shown += rest;
    (shown != text).then_some(shown)
}

/// Reads what derived implementations of `Debug` write.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.trim_start().strip_prefix(token)?.trim_start();
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        self.rest = self.rest.trim_start();
        match self.rest.chars().next()? {
            '"' => self.text().map(Value::String),
            '[' => self.members("[", "]", depth).map(Value::Array),
            '(' => self.members("(", ")", depth).map(Value::Array),
            '{' => self.fields(depth),
            '-' | '0'..='9' => self.number(),
            _ => self.named(depth),
        }
    }

    fn text(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((index, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[index + 1..];
                    return Some(text);
                }
                '\\' => match characters.next()?.1 {
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    '0' => text.push('\0'),
                    'u' => {
                        let code: String =
                            characters.by_ref().map(|(_, c)| c).skip(1).take_while(|c| *c != '}').collect();
                        text.push(char::from_u32(u32::from_str_radix(&code, 16).ok()?)?);
                    }
                    other => text.push(other),
                },
                other => text.push(other),
            }
        }
        None
    }

    fn number(&mut self) -> Option<Value> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        text.parse::<Number>().ok().map(Value::Number).or_else(|| Some(text.into()))
    }

    /// `Name`, `Name(values)` or `Name { fields }`.
    fn named(&mut self, depth: usize) -> Option<Value> {
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() {
            return None;
        }
        self.rest = rest;
        let inner = match self.rest.trim_start().chars().next() {
            Some('(') => {
                let mut values = self.members("(", ")", depth)?;
                if values.len() == 1 { values.remove(0) } else { Value::Array(values) }
            }
            Some('{') => self.fields(depth)?,
            _ => match name {
                "true" => return Some(true.into()),
                "false" => return Some(false.into()),
                "None" => return Some(Value::Null),
                "Secret" => return Some(HIDDEN.into()),
                name => return Some(in_words(name).into()),
            },
        };
        // What the definition is of is told by the command's name.
        let is_plain = name == "Some" || name.ends_with("Definition");
        if is_plain || depth > 0 && !inner.is_object() {
            return Some(inner);
        }
        Some(json!({ in_words(name): inner }))
    }

    fn members(&mut self, open: &str, close: &str, depth: usize) -> Option<Vec<Value>> {
        self.skip(open)?;
        let mut values = Vec::new();
        while self.skip(close).is_none() {
            values.push(self.value(depth + 1)?);
            let _ = self.skip(",");
        }
        Some(values)
    }

    /// Fields of a struct, or entries of a map.
    fn fields(&mut self, depth: usize) -> Option<Value> {
        self.skip("{")?;
        let mut object = Map::new();
        while self.skip("}").is_none() {
            let name = if self.rest.starts_with('"') { self.text()? } else { self.field_name()? };
            self.skip(":")?;
            object.insert(name, self.value(depth + 1)?);
            let _ = self.skip(",");
        }
        Some(Value::Object(object))
    }

    fn field_name(&mut self) -> Option<String> {
        let (name, _) = self.rest.split_once(':')?;
        self.rest = &self.rest[name.len()..];
        Some(name.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker::{AdminCommand, NewPassword, Secret, WhenUserExists};
    use metadata::PermissionDefinition;

    fn described(command: &AdminCommand) -> (String, Value) {
        describe(&format!("{command:?}"))
    }

    #[test]
    fn commands_are_told_with_their_arguments_and_without_secrets() {
        let put = |password| AdminCommand::PutUser {
            name: "a \"quoted\" name, {with} (brackets): \n\u{7f}é".to_owned(),
            password: Some(password),
            tags: Some(vec!["administrator".to_owned(), String::new()]),
            limits: None,
            when: WhenUserExists::Replace,
        };
        let plain = described(&put(NewPassword::Plain(Secret("s3cret".to_owned()))));
        let expected = json!({
            "name": "a \"quoted\" name, {with} (brackets): \n\u{7f}é",
            "password": "[hidden]",
            "tags": ["administrator", ""],
            "limits": null,
            "when": "replace",
        });
        assert_eq!(plain, ("put_user".to_owned(), expected.clone()));
        let hash = NewPassword::Hash { hash: "s3cret".to_owned(), algorithm: "sha".to_owned() };
        assert_eq!(described(&put(hash)), ("put_user".to_owned(), expected));
    }

    #[test]
    fn a_command_of_one_value_is_told_by_that() {
        let permission = PermissionDefinition {
            user: "u".to_owned(),
            vhost: "/".to_owned(),
            configure: "^a".to_owned(),
            write: String::new(),
            read: ".*".to_owned(),
        };
        let expected = json!({ "user": "u", "vhost": "/", "configure": "^a", "write": "", "read": ".*" });
        let told = described(&AdminCommand::SetPermissions(permission));
        assert_eq!(told, ("set_permissions".to_owned(), expected));
        assert_eq!(described(&AdminCommand::SetChannelMax(7)), ("set_channel_max".to_owned(), json!(7)));
        let delete =
            AdminCommand::DeleteQueue { vhost: "/".to_owned(), name: "q".to_owned(), if_unused: true, if_empty: false };
        let expected = json!({ "vhost": "/", "name": "q", "if_unused": true, "if_empty": false });
        assert_eq!(described(&delete), ("delete_queue".to_owned(), expected));
    }

    #[test]
    fn credentials_in_addresses_are_hidden() {
        let mut value =
            json!({ "value": { "src-uri": ["amqp://user:pass@a/v", "amqps://b:5671"], "dest": "a://x@b://y" } });
        hide(&mut value);
        let expected =
            json!({ "value": { "src-uri": ["amqp://[hidden]@a/v", "amqps://b:5671"], "dest": "a://[hidden]@b://y" } });
        assert_eq!(value, expected);
    }

    #[test]
    fn what_cannot_be_read_is_not_told() {
        let unreadable = json!({ "unreadable": true });
        for text in ["Put { password: ", "Put { a: \"", "Put { a: <x> }", &format!("Put {}", "[".repeat(100_000))] {
            assert_eq!(describe(text), ("put".to_owned(), unreadable.clone()), "{text}");
        }
        assert_eq!(describe(""), (String::new(), unreadable));
    }
}
