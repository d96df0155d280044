//! Queries of RabbitMQ's LDAP backend: Erlang terms that say what a user may do.

use crate::terms::{Located, Term, read_terms};

/// A query as `auth_ldap.queries.*` and advanced.config have them; texts are patterns with variables such as `${vhost}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LdapQuery {
    /// `{constant, true}`.
    Constant(bool),
    /// `{for, [{permission, configure, Query}, ...]}`: variable, value, and what is asked then.
    For(Vec<(String, String, LdapQuery)>),
    /// `{exists, DN}`.
    Exists(String),
    /// `{in_group, DN}` and `{in_group, DN, Attribute}`.
    InGroup {
        /// The group.
        dn: String,
        /// Its attribute that has the members.
        attribute: String,
    },
    /// `{in_group_nested, DN}`, with an attribute, and with a scope.
    InGroupNested {
        /// The group.
        dn: String,
        /// The attribute of groups that has their members.
        attribute: String,
        /// Groups are looked for at any depth, and not right below the base only.
        is_subtree: bool,
    },
    /// `{'not', Query}`.
    Not(Box<LdapQuery>),
    /// `{'and', [Query, ...]}`.
    And(Vec<LdapQuery>),
    /// `{'or', [Query, ...]}`.
    Or(Vec<LdapQuery>),
    /// `{equals, Query, Query}`.
    Equals(Box<LdapQuery>, Box<LdapQuery>),
    /// `{match, Query, Query}`: text, and a regular expression.
    Match(Box<LdapQuery>, Box<LdapQuery>),
    /// `{string, Pattern}`.
    Text(String),
    /// `{attribute, DN, Name}`.
    Attribute {
        /// The entry.
        dn: String,
        /// The attribute.
        name: String,
    },
}

impl LdapQuery {
    /// Reads a query, with a dot behind it or without; `None` for what is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<LdapQuery> {
        query(&only_term(text)?)
    }

    /// Reads tags with their queries, `[{administrator, Query}, ...]`; `None` for what they are not.
    #[must_use]
    pub fn parse_tags(text: &str) -> Option<Vec<(String, LdapQuery)>> {
        let tag = |located: &Located| match tuple(located)? {
            [tag, of] => Some((text_of(tag)?, query(of)?)),
            _ => None,
        };
        list(&only_term(text)?)?.iter().map(tag).collect()
    }
}

fn only_term(text: &str) -> Option<Located> {
    let text = text.trim();
    let dot = if text.ends_with('.') { "" } else { "." };
    let mut terms = read_terms(&format!("{text}{dot}")).ok()?.into_iter();
    terms.next().filter(|_| terms.next().is_none())
}

fn query(located: &Located) -> Option<LdapQuery> {
    use LdapQuery as Q;
    if let Term::Text(text) = &located.term {
        return Some(Q::Text(text.clone()));
    }
    let (name, arguments) = tuple(located)?.split_first()?;
    let boxed = |located| query(located).map(Box::new);
    let many = |located| list(located)?.iter().map(query).collect::<Option<Vec<_>>>();
    let nested = |dn, attribute, is_subtree| Some(Q::InGroupNested { dn, attribute, is_subtree });
    match (text_of(name)?.as_str(), arguments) {
        ("constant", [value]) => match text_of(value)?.as_str() {
            "true" => Some(Q::Constant(true)),
            "false" => Some(Q::Constant(false)),
            _ => None,
        },
        ("for", [cases]) => list(cases)?.iter().map(case).collect::<Option<_>>().map(Q::For),
        ("exists", [dn]) => Some(Q::Exists(text_of(dn)?)),
        ("in_group", [dn]) => Some(Q::InGroup { dn: text_of(dn)?, attribute: "member".to_owned() }),
        ("in_group", [dn, attribute]) => Some(Q::InGroup { dn: text_of(dn)?, attribute: text_of(attribute)? }),
        ("in_group_nested", [dn]) => nested(text_of(dn)?, "member".to_owned(), true),
        ("in_group_nested", [dn, attribute]) => nested(text_of(dn)?, text_of(attribute)?, true),
        ("in_group_nested", [dn, attribute, scope]) => match text_of(scope)?.as_str() {
            "subtree" => nested(text_of(dn)?, text_of(attribute)?, true),
            "singlelevel" | "single_level" | "onelevel" | "one_level" => {
                nested(text_of(dn)?, text_of(attribute)?, false)
            }
            _ => None,
        },
        ("not", [of]) => Some(Q::Not(boxed(of)?)),
        ("and", [of]) => many(of).map(Q::And),
        ("or", [of]) => many(of).map(Q::Or),
        ("equals", [one, other]) => Some(Q::Equals(boxed(one)?, boxed(other)?)),
        ("match", [text, pattern]) => Some(Q::Match(boxed(text)?, boxed(pattern)?)),
        ("string", [pattern]) => Some(Q::Text(text_of(pattern)?)),
        ("attribute", [dn, name]) => Some(Q::Attribute { dn: text_of(dn)?, name: text_of(name)? }),
        _ => None,
    }
}

fn case(located: &Located) -> Option<(String, String, LdapQuery)> {
    match tuple(located)? {
        [variable, value, then] => Some((text_of(variable)?, text_of(value)?, query(then)?)),
        _ => None,
    }
}

fn tuple(located: &Located) -> Option<&[Located]> {
    if let Term::Tuple(items) = &located.term { Some(items) } else { None }
}

fn list(located: &Located) -> Option<&[Located]> {
    if let Term::List(items) = &located.term { Some(items) } else { None }
}

fn text_of(located: &Located) -> Option<String> {
    match &located.term {
        Term::Atom(text) | Term::Text(text) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LdapQuery as Q;

    fn text(text: &str) -> Box<LdapQuery> {
        Box::new(Q::Text(text.to_owned()))
    }

    #[test]
    fn each_form_is_read() {
        for (term, expected) in [
            ("{constant, true}", Q::Constant(true)),
            ("{constant, false}.", Q::Constant(false)),
            ("{exists, \"ou=${vhost},dc=a\"}", Q::Exists("ou=${vhost},dc=a".into())),
            ("{in_group, \"cn=g\"}", Q::InGroup { dn: "cn=g".into(), attribute: "member".into() }),
            (
                "{in_group, \"cn=g\", \"uniqueMember\"}",
                Q::InGroup { dn: "cn=g".into(), attribute: "uniqueMember".into() },
            ),
            (
                "{in_group_nested, \"cn=g\", \"member\", one_level}",
                Q::InGroupNested { dn: "cn=g".into(), attribute: "member".into(), is_subtree: false },
            ),
            ("{'not', {constant, true}}", Q::Not(Box::new(Q::Constant(true)))),
            ("{'and', [{constant, true}, {constant, false}]}", Q::And(vec![Q::Constant(true), Q::Constant(false)])),
            ("{'or', []}", Q::Or(Vec::new())),
            ("{equals, \"${username}\", {string, \"a\"}}", Q::Equals(text("${username}"), text("a"))),
            (
                "{match, {attribute, \"${user_dn}\", \"mail\"}, \"@a\\\\.org$\"}",
                Q::Match(Box::new(Q::Attribute { dn: "${user_dn}".into(), name: "mail".into() }), text("@a\\.org$")),
            ),
            (
                "{for, [{permission, configure, {constant, false}}, {vhost, <<\"/\">>, {constant, true}}]}",
                Q::For(vec![
                    ("permission".into(), "configure".into(), Q::Constant(false)),
                    ("vhost".into(), "/".into(), Q::Constant(true)),
                ]),
            ),
        ] {
            assert_eq!(LdapQuery::parse(term), Some(expected), "{term}");
        }
    }

    #[test]
    fn nothing_else_is_a_query() {
        for term in [
            "",
            "true",
            "{constant, maybe}",
            "{constant}",
            "{in_group}",
            "{unknown, 1}",
            "{'and', {constant, true}}",
            "{for, [{a, b}]}",
            "{constant, true}. {constant, true}",
            "{constant, true",
            "[]",
        ] {
            assert_eq!(LdapQuery::parse(term), None, "{term}");
        }
        let deep = "{'not', ".repeat(40) + "{constant, true}" + &"}".repeat(40);
        assert_eq!(LdapQuery::parse(&deep), None);
    }

    #[test]
    fn tags_have_queries() {
        let tags = LdapQuery::parse_tags("[{administrator, {constant, false}}, {management, {in_group, \"cn=m\"}}]");
        let names: Vec<String> = tags.unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["administrator", "management"]);
        assert_eq!(LdapQuery::parse_tags("{constant, true}"), None);
        assert_eq!(LdapQuery::parse_tags("[]"), Some(Vec::new()));
    }
}
