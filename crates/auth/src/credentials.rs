//! What a new password has to be like: RabbitMQ's `credential_validator`.

use crate::Pattern;

/// A rule that new passwords are held to; hashes and those that exist are not.
#[derive(Clone, Debug, Default)]
pub enum CredentialRule {
    /// `rabbit_credential_validator_accept_everything`.
    #[default]
    AcceptEverything,
    /// `rabbit_credential_validator_min_password_length`, in bytes.
    MinLength(usize),
    /// `rabbit_credential_validator_password_regexp`.
    Regexp(Pattern),
}

impl CredentialRule {
    /// Checks a password; `None` is a user without one.
    ///
    /// # Errors
    /// RabbitMQ's text.
    pub fn check(&self, password: Option<&str>) -> Result<(), String> {
        match self {
            CredentialRule::AcceptEverything => Ok(()),
            CredentialRule::MinLength(least) if password.is_some_and(|password| password.len() >= *least) => Ok(()),
            CredentialRule::MinLength(least) => Err(format!("minimum required password length is {least}")),
            CredentialRule::Regexp(pattern) if pattern.is_match(password.unwrap_or("undefined")) => Ok(()),
            CredentialRule::Regexp(_) => {
                Err("provided password does not match the validator regular expression".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_rabbitmqs_words() {
        let short = CredentialRule::MinLength(5);
        assert_eq!(short.check(Some("guest")), Ok(()));
        assert_eq!(short.check(Some("gues")), Err("minimum required password length is 5".to_owned()));
        assert_eq!(short.check(None), Err("minimum required password length is 5".to_owned()));
        // Bytes, not characters.
        assert_eq!(short.check(Some("äää")), Ok(()));
        let upper = CredentialRule::Regexp(Pattern::compile("^[A-Z]{3}").unwrap());
        assert_eq!(upper.check(Some("ABCdef")), Ok(()));
        let refused = "provided password does not match the validator regular expression".to_owned();
        assert_eq!(upper.check(Some("abc")), Err(refused));
        assert_eq!(CredentialRule::default().check(None), Ok(()));
    }
}
