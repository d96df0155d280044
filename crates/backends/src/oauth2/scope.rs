//! Scopes: what a token allows, such as `read:vhost/queue/routing-key`.

use auth::{Permission, Question, Resource};
use regex::bytes::Regex;
use serde_json::{Map, Value};
use tracing::warn;

use super::wildcard::Wildcard;

/// `scope_pattern_syntax`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScopeSyntax {
    /// `*` stands for any text.
    #[default]
    Wildcard,
    /// Regular expressions, which have to match the whole name.
    Regex,
}

/// Longest regular expression, in bytes.
const LONGEST_REGEX: usize = 2048;

/// What RabbitMQ takes in no regular expression of a scope.
const REJECTED: [&str; 19] = [
    "(?i", "(?I", "(?m", "(?M", "(?s", "(?S", "(?x", "(?X", "(?J", "(?U", "(?n", "(?-", "(?C", "(?#", "(*", "(?R",
    "(?P>", "(?&", "(?0",
];

/// A scope that gives a permission.
pub(super) struct Grant {
    permission: Permission,
    vhost: Pattern,
    name: Pattern,
    routing_key: Option<Pattern>,
}

enum Pattern {
    Wildcard(Wildcard),
    Regex(Regex),
    /// It cannot be read, and matches nothing.
    Nothing,
}

impl Pattern {
    fn new(text: &str, syntax: ScopeSyntax) -> Pattern {
        match syntax {
            ScopeSyntax::Wildcard => Wildcard::parse(text).map_or(Pattern::Nothing, Pattern::Wildcard),
            ScopeSyntax::Regex => regex(text).map_or(Pattern::Nothing, Pattern::Regex),
        }
    }

    fn matches(&self, subject: &str) -> bool {
        match self {
            Pattern::Wildcard(pattern) => pattern.matches(subject),
            Pattern::Regex(pattern) => pattern.is_match(subject.as_bytes()),
            Pattern::Nothing => false,
        }
    }
}

fn regex(text: &str) -> Option<Regex> {
    if text.len() > LONGEST_REGEX || REJECTED.iter().any(|construct| text.contains(construct)) {
        warn!("a scope's regular expression is too long or has a construct that is not supported; it matches nothing");
        return None;
    }
    // It has to be one without what is put around it: `a)|(?:b` would end the group, and match in the middle.
    Regex::new(text).ok()?;
    Regex::new(&format!(r"\A(?:{text})\z")).ok()
}

impl Grant {
    /// Reads a scope; `None` for one that gives no permission.
    pub(super) fn parse(scope: &str, syntax: ScopeSyntax) -> Option<Grant> {
        let (permission, pattern) = scope.split_once(':')?;
        let permission = match permission {
            "read" => Permission::Read,
            "write" => Permission::Write,
            "configure" => Permission::Configure,
            _ => return None,
        };
        let mut parts = pattern.split('/');
        let (vhost, name, routing_key) = (parts.next()?, parts.next()?, parts.next());
        if parts.next().is_some() {
            return None;
        }
        let pattern = |text| Pattern::new(text, syntax);
        Some(Grant { permission, vhost: pattern(vhost), name: pattern(name), routing_key: routing_key.map(pattern) })
    }

    pub(super) fn allows(&self, question: Question<'_>) -> bool {
        match question {
            Question::Vhost { vhost, .. } => self.vhost.matches(vhost),
            Question::Object { resource: Resource { vhost, name, .. }, permission } => {
                permission == self.permission && self.vhost.matches(vhost) && self.name.matches(name)
            }
            Question::Topic { vhost, exchange, permission, routing_key } => {
                permission == self.permission
                    && self.routing_key.as_ref().is_some_and(|pattern| pattern.matches(routing_key))
                    && self.vhost.matches(vhost)
                    && self.name.matches(exchange)
            }
        }
    }
}

/// A scope with `{vhost}` and the names of claims in braces replaced by what they stand for; a name that is no claim of
/// text stands for itself. One that makes no sense is empty.
pub(super) fn expand(scope: &str, claims: &Map<String, Value>, vhost: &str, syntax: ScopeSyntax) -> String {
    let mut expanded = String::with_capacity(scope.len());
    let mut rest = scope;
    while let Some((before, behind)) = rest.split_once('{') {
        expanded.push_str(before);
        let end = behind.find(['{', '.', '*', '}']).unwrap_or(behind.len());
        let name = &behind[..end];
        let value = match name {
            "vhost" => vhost,
            name => claims.get(name).and_then(Value::as_str).unwrap_or(name),
        };
        match syntax {
            ScopeSyntax::Wildcard => expanded.push_str(value),
            ScopeSyntax::Regex => expanded.push_str(&regex::escape(value)),
        }
        rest = match behind[end..].strip_prefix('}') {
            Some(rest) => rest,
            None if end == behind.len() => "",
            None => return String::new(),
        };
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn allows(scopes: &[&str], question: Question<'_>) -> bool {
        let grants = scopes.iter().filter_map(|scope| Grant::parse(scope, ScopeSyntax::Wildcard));
        grants.into_iter().any(|grant| grant.allows(question))
    }

    fn vhost(vhost: &str) -> Question<'_> {
        Question::Vhost { vhost, peer: None }
    }

    fn object<'a>(vhost: &'a str, name: &'a str, permission: Permission) -> Question<'a> {
        Question::Object { resource: Resource::queue(vhost, name), permission }
    }

    fn topic<'a>(vhost: &'a str, exchange: &'a str, routing_key: &'a str) -> Question<'a> {
        Question::Topic { vhost, exchange, permission: Permission::Read, routing_key }
    }

    const VHOSTS: [&str; 5] = ["/", "foo", "*", "foo/bar", "юникод"];
    const NAMES: [&str; 5] = ["foo", "foo/bar", "*", "*/*", "юникод"];
    const EVERY: [(&str, Permission); 3] =
        [("read", Permission::Read), ("write", Permission::Write), ("configure", Permission::Configure)];

    /// `permission_all` of RabbitMQ's `scope_SUITE`.
    #[test]
    fn a_scope_for_everything_gives_its_permission_alone() {
        for (word, permission) in EVERY {
            for form in ["*/*", "*/*/*"] {
                let scope = format!("{word}:{form}");
                for host in VHOSTS {
                    assert!(allows(&[&scope], vhost(host)));
                    for name in NAMES {
                        for (_, asked) in EVERY {
                            assert_eq!(allows(&[&scope], object(host, name, asked)), asked == permission, "{scope}");
                        }
                    }
                }
            }
        }
    }

    /// `permission_vhost`.
    #[test]
    fn a_virtual_host_may_be_encoded() {
        let complex = "foo/bar/*/";
        for (word, permission) in EVERY {
            for form in ["*", "*/*"] {
                let plain = format!("{word}:foo/{form}");
                let encoded = format!("{word}:foo%2Fbar%2F%2A%2F/{form}");
                let tags = ["tag:management", "tag:policymaker"];
                for name in NAMES {
                    assert!(allows(&[&plain, tags[0]], object("foo", name, permission)));
                    assert!(allows(&[tags[1], &encoded], object(complex, name, permission)));
                    assert!(!allows(&[&encoded], object("foo", name, permission)));
                    assert!(!allows(&[&plain], object(complex, name, permission)));
                }
                assert!(allows(&[&plain], vhost("foo")) && !allows(&[&plain], vhost("bar")));
                assert!(allows(&[&encoded], vhost(complex)));
            }
        }
        assert!(!allows(&["tag:administrator"], vhost("foo")));
    }

    /// `permission_resource`.
    #[test]
    fn a_name_may_be_encoded() {
        for (word, permission) in EVERY {
            for form in ["", "/*"] {
                let scope = format!("{word}:*/bar%2A%2Fbaz{form}");
                for host in VHOSTS {
                    assert!(allows(&[&scope], object(host, "bar*/baz", permission)));
                    assert!(NAMES.iter().all(|name| !allows(&[&scope], object(host, name, permission))));
                }
            }
        }
    }

    /// `permission_topic`.
    #[test]
    fn a_routing_key_needs_a_scope_with_one() {
        assert!(allows(&["read:*/*/*"], topic("any", "thing", "at.all")));
        assert!(allows(&["read:vhost/*/*"], topic("vhost", "e", "k")));
        assert!(!allows(&["read:vhost/*/*"], topic("other", "e", "k")));
        assert!(allows(&["read:*/exchange/*"], topic("v", "exchange", "k")));
        assert!(!allows(&["read:*/exchange/*"], topic("v", "other", "k")));
        assert!(allows(&["read:*/*/rout"], topic("v", "e", "rout")));
        assert!(!allows(&["read:*/*/rout"], topic("v", "e", "norout")));
        assert!(["rout", "norout", "sprout"].iter().all(|key| allows(&["read:*/*/*rout"], topic("v", "e", key))));
        assert!(!allows(&["read:*/*"], topic("v", "e", "k")));
        assert!(!allows(&["write:*/*/*"], topic("v", "e", "k")));
    }

    #[test]
    fn anything_else_is_no_permission() {
        for scope in ["read", "read:", "read:v", "read:v/n/k/more", "list:*/*", "", "tag:administrator", "Read:*/*"] {
            assert!(Grant::parse(scope, ScopeSyntax::Wildcard).is_none(), "{scope}");
        }
    }

    /// `variable_expansion` of RabbitMQ's `scope_SUITE`.
    #[test]
    fn variables_are_claims_and_the_virtual_host() {
        let claims = json!({ "client_id": "some_client", "username": "some_user", "foo": ["bar"], "n": 1 });
        let claims = claims.as_object().unwrap();
        let none = Map::new();
        for (claims, scope, host, expected) in [
            (claims, "read:{vhost}/{client_id}-*", "default", "read:default/some_client-*"),
            (claims, "write:{vhost}/{client_id}/{username}", "default", "write:default/some_client/some_user"),
            (claims, "read:{client_id}/*/{username}", "other", "read:some_client/*/some_user"),
            (claims, "read:client_id/vhost-*", "default", "read:client_id/vhost-*"),
            (&none, "read:{client_id}/*", "default", "read:client_id/*"),
            (claims, "read:{foo}/*", "default", "read:foo/*"),
            (claims, "read:{n}/*", "default", "read:n/*"),
            (claims, "read:{}/*", "default", "read:/*"),
            (claims, "read:{/*", "default", ""),
            (claims, "read:var}/*", "default", "read:var}/*"),
        ] {
            assert_eq!(expand(scope, claims, host, ScopeSyntax::Wildcard), expected, "{scope}");
        }
    }

    #[test]
    fn what_a_claim_says_is_no_regular_expression() {
        let claims = json!({ "client_id": ".*" });
        let scope = expand("read:a/{client_id}-q", claims.as_object().unwrap(), "v", ScopeSyntax::Regex);
        let grant = Grant::parse(&scope, ScopeSyntax::Regex).unwrap();
        assert!(grant.allows(object("a", ".*-q", Permission::Read)));
        assert!(!grant.allows(object("a", "other-q", Permission::Read)));
    }

    #[test]
    fn regular_expressions_match_whole_names() {
        let grant = |scope: &str| Grant::parse(scope, ScopeSyntax::Regex);
        let allows = |scope: &str, question: Question<'_>| grant(scope).is_some_and(|grant| grant.allows(question));
        assert!(allows("read:v[0-9]+/q|p", object("v12", "p", Permission::Read)));
        assert!(!allows("read:v[0-9]+/q|p", object("v12x", "p", Permission::Read)));
        assert!(!allows("read:v/q", object("v", "q2", Permission::Read)));
        assert!(!allows("read:v/a)|(?:b", object("v", "xb", Permission::Read)));
        assert!(!allows("read:.*/a)|(?:b", object(".*", "xb", Permission::Read)));
        for bad in ["(?i)q", "(", "(*ACCEPT)", "q)|(?:q", "q\\"] {
            assert!(!allows(&format!("read:v/{bad}"), object("v", "q", Permission::Read)), "{bad}");
        }
        assert!(!allows(&format!("read:v/{}", "q?".repeat(1500)), object("v", "q", Permission::Read)));
    }
}
