//! Patterns with variables, `cn=${username},dc=example`, and what becomes of them.
//!
//! What is put in comes from clients. In a distinguished name it is escaped (RFC 4514), in a regular expression it
//! stands for itself, and what it says is never filled in again: RabbitMQ fills one variable after the other, so that
//! there a user called `${vhost}` is whatever virtual host it opens.

use std::borrow::Cow;

/// Variables with their values.
pub(super) struct Variables(Vec<(&'static str, String)>);

/// What a pattern is filled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// A text that is compared.
    Text,
    /// A distinguished name.
    Name,
    /// A regular expression.
    Expression,
}

impl Variables {
    /// The user's name, and its parts where it is one of Active Directory, `DOMAIN\user`.
    pub(super) fn of_user(username: &str) -> Variables {
        let mut variables = Variables(vec![("username", username.to_owned())]);
        if let Some((domain, user)) = split(username) {
            variables.add("ad_domain", domain);
            variables.add("ad_user", user);
        }
        variables
    }

    pub(super) fn add(&mut self, name: &'static str, value: &str) {
        self.0.push((name, value.to_owned()));
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
    }

    /// The pattern with its variables filled in; names that are none of theirs stay as they are.
    pub(super) fn fill(&self, pattern: &str, purpose: For) -> String {
        let mut filled = String::with_capacity(pattern.len());
        let mut rest = pattern;
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            filled.push_str(before);
            let name = from.find('}').map(|end| &from[2..end]);
            let known = |name: &&str| purpose != For::Name || self.may_name(name);
            match name.filter(known).and_then(|name| Some((name, self.value(name)?))) {
                Some((name, value)) => {
                    filled.push_str(&self.prepared(name, value, purpose));
                    rest = &from[name.len() + 3..];
                }
                None => {
                    filled.push_str("${");
                    rest = &from[2..];
                }
            }
        }
        filled.push_str(rest);
        filled
    }

    /// A user's part that would take the meaning of a backslash before it away is none: its variables stay as they are.
    fn may_name(&self, variable: &str) -> bool {
        !variable.starts_with("ad_") || self.value("ad_user").is_some_and(is_plain)
    }

    fn prepared<'a>(&self, name: &str, value: &'a str, purpose: For) -> Cow<'a, str> {
        match purpose {
            For::Text => Cow::Borrowed(value),
            For::Expression => Cow::Owned(regex::escape(value)),
            // It is a whole name already, and its parts are escaped.
            For::Name if name == "user_dn" => Cow::Borrowed(value),
            // The backslash of Active Directory's names stands as it is, as in RabbitMQ: servers would not know it.
            For::Name if name == "username" => match split(value).filter(|(_, user)| is_plain(user)) {
                Some((domain, user)) => Cow::Owned(format!("{}\\{}", escaped(domain), escaped(user))),
                None => Cow::Owned(escaped(value)),
            },
            For::Name => Cow::Owned(escaped(value)),
        }
    }
}

/// Domain and user of a name of Active Directory.
fn split(username: &str) -> Option<(&str, &str)> {
    username.split_once('\\').filter(|(domain, user)| !domain.is_empty() && !user.is_empty())
}

/// True for a user behind a domain that has no further backslash and is not escaped where it begins: either would take
/// the separator's meaning away.
fn is_plain(user: &str) -> bool {
    !user.contains('\\') && !escaped(user).starts_with('\\')
}

/// A value as it may stand in a distinguished name.
pub(super) fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut out = String::with_capacity(value.len());
    for (index, c) in value.chars().enumerate() {
        match c {
            '\0' => {
                out.push_str("\\00");
                continue;
            }
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => out.push('\\'),
            ' ' if index == 0 || index == last => out.push('\\'),
            '#' if index == 0 => out.push('\\'),
            _ => {}
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(username: &str) -> Variables {
        let mut variables = Variables::of_user(username);
        variables.add("user_dn", "cn=a\\,b,dc=c");
        variables.add("vhost", "v,w");
        variables
    }

    #[test]
    fn variables_are_filled_once() {
        let of = variables("alice");
        assert_eq!(of.fill("cn=${username},ou=${vhost}", For::Text), "cn=alice,ou=v,w");
        assert_eq!(of.fill("${unknown}${username", For::Text), "${unknown}${username");
        assert_eq!(of.fill("$${username}$", For::Text), "$alice$");
        assert_eq!(of.fill("${${username}}", For::Text), "${alice}");
        assert_eq!(variables("${vhost}").fill("${username}", For::Text), "${vhost}");
    }

    #[test]
    fn names_cannot_be_added_to() {
        let fill = |username: &str| variables(username).fill("cn=${username},dc=d", For::Name);
        assert_eq!(fill("alice"), "cn=alice,dc=d");
        assert_eq!(fill("x,ou=admins"), "cn=x\\,ou=admins,dc=d");
        assert_eq!(fill("a+uid=0"), "cn=a\\+uid=0,dc=d");
        assert_eq!(fill(" #a "), "cn=\\ #a\\ ,dc=d");
        assert_eq!(fill("#a\0\"<>;"), "cn=\\#a\\00\\\"\\<\\>\\;,dc=d");
        assert_eq!(variables("a").fill("${user_dn}", For::Name), "cn=a\\,b,dc=c");
        assert_eq!(variables("a").fill("ou=${vhost}", For::Name), "ou=v\\,w");
    }

    #[test]
    fn names_of_active_directory_are_split() {
        let of = variables("DOMAIN\\al,ice");
        assert_eq!(of.fill("${ad_user}@${ad_domain}", For::Text), "al,ice@DOMAIN");
        assert_eq!(of.fill("${username}", For::Name), "DOMAIN\\al\\,ice");
        // A backslash that would free the comma of its own.
        for name in ["D\\a\\,b", "D\\,b", "\\a", "a\\"] {
            let filled = variables(name).fill("${username}", For::Name);
            assert_eq!(filled, escaped(name), "{name}");
            assert_eq!(variables(name).fill("${ad_domain}", For::Name), "${ad_domain}", "{name}");
        }
    }

    #[test]
    fn expressions_take_values_as_they_stand() {
        let of = variables(".*");
        assert_eq!(of.fill("^${username}-", For::Expression), "^\\.\\*-");
    }
}
