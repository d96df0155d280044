//! Queries, and what they come to.

use auth::Pattern;
use config::LdapQuery;

use super::pattern::{For, Variables};

/// Groups that are looked at for one question about groups in groups.
const MOST_GROUPS: usize = 10_000;

/// The server as queries see it.
pub(super) trait Directory {
    /// Whether the entry has the value in the attribute, or exists, where there is none.
    fn has(&mut self, dn: &str, value: Option<(&str, &str)>) -> Result<bool, Failure>;
    /// The values of an attribute of the entry, or of the first below it that has any.
    fn attribute(&mut self, dn: &str, name: &str) -> Result<Vec<String>, Failure>;
    /// The names of the groups that have the member in the attribute.
    fn groups_of(&mut self, member: &str, attribute: &str, is_subtree: bool) -> Result<Vec<String>, Failure>;
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection was lost; a new one may do better.
    Closed,
    /// The server did not answer in time, or not as it should: the connection is of no use any more.
    Broken(String),
    /// It answers that it cannot.
    Other(String),
    /// It may answer another time, or answers with a part only. No query around this one makes anything of it: what
    /// is not known must not let anybody in by being negated.
    Undecided(String),
}

impl Failure {
    pub(super) fn text(&self) -> &str {
        match self {
            Failure::Closed => "the connection is closed",
            Failure::Broken(text) | Failure::Other(text) | Failure::Undecided(text) => text,
        }
    }
}

/// What a query comes to.
#[derive(Debug, PartialEq, Eq)]
enum Value {
    Truth(bool),
    Texts(Vec<String>),
}

/// The values of two texts that are compared.
type TwoTexts = (Vec<String>, Vec<String>);

type Outcome = Result<Value, Failure>;

/// Who asks.
pub(super) struct Asker<'a> {
    pub(super) user_dn: &'a str,
    pub(super) variables: &'a Variables,
}

impl Asker<'_> {
    /// Whether the query comes to true.
    pub(super) fn holds(&self, query: &LdapQuery, directory: &mut dyn Directory) -> Result<bool, Failure> {
        match self.evaluate(query, directory)? {
            Value::Truth(truth) => Ok(truth),
            Value::Texts(_) => Err(Failure::Other("the query is a text and neither true nor false".to_owned())),
        }
    }

    fn evaluate(&self, query: &LdapQuery, directory: &mut dyn Directory) -> Outcome {
        let name = |pattern: &str| self.variables.fill(pattern, For::Name);
        let truth = |truth: Result<bool, Failure>| truth.map(Value::Truth);
        match query {
            LdapQuery::Constant(constant) => Ok(Value::Truth(*constant)),
            LdapQuery::For(cases) => self.choose(cases, directory),
            LdapQuery::Exists(dn) => truth(directory.has(&name(dn), None)),
            LdapQuery::InGroup { dn, attribute } => truth(directory.has(&name(dn), Some((attribute, self.user_dn)))),
            LdapQuery::InGroupNested { dn, attribute, is_subtree } => {
                truth(self.is_nested(&name(dn), attribute, *is_subtree, directory))
            }
            LdapQuery::Not(of) => truth(self.holds(of, directory).map(|held| !held)),
            LdapQuery::And(of) => {
                truth(of.iter().try_fold(
                    true,
                    |so_far, next| {
                        if so_far { settled(self.holds(next, directory)) } else { Ok(false) }
                    },
                ))
            }
            LdapQuery::Or(of) => {
                truth(of.iter().try_fold(
                    false,
                    |so_far, next| {
                        if so_far { Ok(true) } else { settled(self.holds(next, directory)) }
                    },
                ))
            }
            LdapQuery::Equals(one, other) => {
                let both = self.both(self.evaluate(one, directory), || self.evaluate(other, directory))?;
                Ok(Value::Truth(both.is_some_and(|(one, other)| is_equal(&one, &other))))
            }
            LdapQuery::Match(text, expression) => {
                let text = self.evaluate(text, directory);
                let expression = match &**expression {
                    LdapQuery::Text(pattern) => Ok(Value::Texts(vec![self.variables.fill(pattern, For::Expression)])),
                    other => self.evaluate(other, directory),
                };
                let both = self.both(text, || expression)?;
                Ok(Value::Truth(both.is_some_and(|(texts, expressions)| is_match(&texts, &expressions))))
            }
            LdapQuery::Text(pattern) => Ok(Value::Texts(vec![self.variables.fill(pattern, For::Text)])),
            LdapQuery::Attribute { dn, name: attribute } => directory.attribute(&name(dn), attribute).map(Value::Texts),
        }
    }

    fn choose(&self, cases: &[(String, String, LdapQuery)], directory: &mut dyn Directory) -> Outcome {
        for (variable, value, then) in cases {
            match self.variables.value(variable) {
                None => return Err(Failure::Other(format!("args_do_not_contain {variable}"))),
                Some(found) if found == value => return self.evaluate(then, directory),
                Some(_) => {}
            }
        }
        Err(Failure::Other("for_query_incomplete".to_owned()))
    }

    /// Two texts; `None` where one of them cannot be had, which makes what is asked of them false.
    fn both(&self, one: Outcome, other: impl FnOnce() -> Outcome) -> Result<Option<TwoTexts>, Failure> {
        let texts = |outcome: Outcome| match outcome {
            Ok(Value::Texts(texts)) => Ok(Some(texts)),
            Ok(Value::Truth(_)) | Err(Failure::Other(_)) => Ok(None),
            Err(failure) => Err(failure),
        };
        let (one, other) = (texts(one)?, texts(other())?);
        Ok(one.zip(other))
    }

    /// Goes from the user to the groups that it is in, and on to those that they are in; each is looked at once. What
    /// goes wrong has no answer, so that it can be negated no more than elsewhere; RabbitMQ takes it for no groups.
    fn is_nested(
        &self,
        group: &str,
        attribute: &str,
        is_subtree: bool,
        directory: &mut dyn Directory,
    ) -> Result<bool, Failure> {
        let wanted = group.to_lowercase();
        let mut seen = std::collections::HashSet::from([self.user_dn.to_lowercase()]);
        let mut open = vec![self.user_dn.to_owned()];
        while let Some(member) = open.pop() {
            for group in directory.groups_of(&member, attribute, is_subtree)? {
                let lower = group.to_lowercase();
                if lower == wanted {
                    return Ok(true);
                }
                if seen.insert(lower) {
                    open.push(group);
                }
            }
            if seen.len() > MOST_GROUPS {
                return Err(Failure::Undecided(format!("more than {MOST_GROUPS} groups")));
            }
        }
        Ok(false)
    }
}

/// In lists of queries one that has no answer is false.
fn settled(held: Result<bool, Failure>) -> Result<bool, Failure> {
    match held {
        Err(Failure::Other(_)) => Ok(false),
        held => held,
    }
}

fn is_equal(one: &[String], other: &[String]) -> bool {
    match (one, other) {
        ([one], others) => others.contains(one),
        (ones, [other]) => ones.contains(other),
        (ones, others) => ones == others,
    }
}

/// Many texts by many expressions are not compared, as in RabbitMQ.
fn is_match(texts: &[String], expressions: &[String]) -> bool {
    if texts.len() > 1 && expressions.len() > 1 {
        return false;
    }
    let compiled: Vec<Pattern> = expressions.iter().filter_map(|text| Pattern::compile_search(text).ok()).collect();
    texts.iter().any(|text| compiled.iter().any(|pattern| pattern.is_match(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups by name with their members, and one attribute.
    struct Fake(Vec<(&'static str, Vec<&'static str>)>);

    impl Directory for Fake {
        fn has(&mut self, dn: &str, value: Option<(&str, &str)>) -> Result<bool, Failure> {
            let found = self.0.iter().find(|(name, _)| *name == dn);
            let (_, members) = found.ok_or_else(|| Failure::Other("noSuchObject".to_owned()))?;
            Ok(value.is_none_or(|(attribute, value)| attribute == "member" && members.contains(&value)))
        }

        fn attribute(&mut self, dn: &str, _: &str) -> Result<Vec<String>, Failure> {
            match dn {
                "one" => Ok(vec!["a".to_owned()]),
                "two" => Ok(vec!["a".to_owned(), "b".to_owned()]),
                "lost" => Err(Failure::Closed),
                _ => Err(Failure::Other("not_found".to_owned())),
            }
        }

        fn groups_of(&mut self, member: &str, attribute: &str, _: bool) -> Result<Vec<String>, Failure> {
            match attribute {
                "busy" => return Err(Failure::Undecided("busy".to_owned())),
                "absent" => return Err(Failure::Other("noSuchObject".to_owned())),
                "endless" => return Ok((0..100).map(|n| format!("{member}{n}")).collect()),
                _ => {}
            }
            let groups = self.0.iter().filter(|(_, members)| members.contains(&member));
            Ok(groups.map(|(name, _)| (*name).to_owned()).collect())
        }
    }

    fn ask(query: &LdapQuery) -> Result<bool, String> {
        let mut variables = Variables::of_user("alice");
        variables.add("vhost", "v");
        let mut fake = Fake(vec![
            ("cn=g", vec!["cn=alice"]),
            ("cn=h", vec!["cn=g", "cn=i"]),
            ("cn=i", vec!["cn=h"]),
            ("cn=other", vec![]),
        ]);
        let asker = Asker { user_dn: "cn=alice", variables: &variables };
        asker.holds(query, &mut fake).map_err(|failure| failure.text().to_owned())
    }

    fn text(text: &str) -> Box<LdapQuery> {
        Box::new(LdapQuery::Text(text.to_owned()))
    }

    fn attribute(dn: &str) -> Box<LdapQuery> {
        Box::new(LdapQuery::Attribute { dn: dn.to_owned(), name: "x".to_owned() })
    }

    fn group(dn: &str) -> LdapQuery {
        LdapQuery::InGroup { dn: dn.to_owned(), attribute: "member".to_owned() }
    }

    fn nested(dn: &str) -> LdapQuery {
        LdapQuery::InGroupNested { dn: dn.to_owned(), attribute: "member".to_owned(), is_subtree: true }
    }

    #[test]
    fn groups_have_members_and_other_groups() {
        assert_eq!(ask(&group("cn=g")), Ok(true));
        assert_eq!(ask(&group("cn=h")), Ok(false));
        assert_eq!(ask(&group("cn=none")), Err("noSuchObject".to_owned()));
        assert_eq!(ask(&nested("cn=g")), Ok(true));
        assert_eq!(ask(&nested("CN=H")), Ok(true));
        // Although h and i are in each other.
        assert_eq!(ask(&nested("cn=i")), Ok(true));
        assert_eq!(ask(&nested("cn=other")), Ok(false));
    }

    #[test]
    fn what_has_no_answer_is_false_in_a_list_and_wrong_alone() {
        let (yes, no, bad) = (LdapQuery::Constant(true), LdapQuery::Constant(false), group("cn=none"));
        assert_eq!(ask(&LdapQuery::And(vec![yes.clone(), bad.clone()])), Ok(false));
        assert_eq!(ask(&LdapQuery::Or(vec![bad.clone(), yes.clone()])), Ok(true));
        assert_eq!(ask(&LdapQuery::Or(vec![no.clone(), bad.clone()])), Ok(false));
        assert_eq!(ask(&LdapQuery::And(Vec::new())), Ok(true));
        assert_eq!(ask(&LdapQuery::Or(Vec::new())), Ok(false));
        assert!(ask(&LdapQuery::Not(Box::new(bad))).is_err());
        assert_eq!(ask(&LdapQuery::Not(Box::new(no))), Ok(true));
        assert!(ask(&LdapQuery::Text("true".to_owned())).is_err());
    }

    #[test]
    fn what_is_not_known_lets_nobody_in() {
        let banned = |attribute: &str| LdapQuery::InGroupNested {
            dn: "cn=banned".to_owned(),
            attribute: attribute.to_owned(),
            is_subtree: true,
        };
        let not = |of: LdapQuery| LdapQuery::Not(Box::new(of));
        assert_eq!(ask(&not(banned("member"))), Ok(true));
        assert_eq!(ask(&not(banned("absent"))), Err("noSuchObject".to_owned()));
        for (attribute, text) in [("busy", "busy"), ("endless", "more than 10000 groups")] {
            let yes = || LdapQuery::Constant(true);
            for query in [
                banned(attribute),
                not(banned(attribute)),
                not(LdapQuery::Or(vec![banned(attribute), LdapQuery::Constant(false)])),
                not(LdapQuery::And(vec![yes(), banned(attribute)])),
                LdapQuery::Or(vec![banned(attribute), yes()]),
            ] {
                assert_eq!(ask(&query), Err(text.to_owned()), "{query:?}");
            }
        }
    }

    #[test]
    fn texts_are_compared_one_by_one() {
        let equals = |one, other| ask(&LdapQuery::Equals(one, other));
        assert_eq!(equals(text("${username}"), text("alice")), Ok(true));
        assert_eq!(equals(text("b"), attribute("two")), Ok(true));
        assert_eq!(equals(attribute("two"), text("c")), Ok(false));
        assert_eq!(equals(attribute("none"), text("a")), Ok(false));
        assert_eq!(equals(attribute("lost"), text("a")), Err("the connection is closed".to_owned()));
        let matches = |one, other| ask(&LdapQuery::Match(one, other));
        assert_eq!(matches(text("alice-q"), text("^${username}-")), Ok(true));
        assert_eq!(matches(text("alice"), text("^b")), Ok(false));
        assert_eq!(matches(attribute("two"), text("^b$")), Ok(true));
        assert_eq!(matches(text("xa"), attribute("one")), Ok(true));
        assert_eq!(matches(attribute("two"), attribute("two")), Ok(false));
        assert_eq!(matches(text("a"), text("(")), Ok(false));
    }

    #[test]
    fn a_case_is_chosen_by_a_variable() {
        let of = |variable: &str, value: &str| {
            LdapQuery::For(vec![(variable.to_owned(), value.to_owned(), LdapQuery::Constant(true))])
        };
        assert_eq!(ask(&of("vhost", "v")), Ok(true));
        assert_eq!(ask(&of("vhost", "w")), Err("for_query_incomplete".to_owned()));
        assert_eq!(ask(&of("name", "w")), Err("args_do_not_contain name".to_owned()));
    }
}
