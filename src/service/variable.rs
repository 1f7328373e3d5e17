//! One environment variable: there or not, parsed or not, and the one line that says so.

use std::fmt;
use std::ops::RangeInclusive;

/// A variable that does not parse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {problem}; for example {variable}={example}")]
pub struct ConfigError {
    /// The environment variable.
    pub variable: &'static str,
    /// What is wrong with it.
    pub problem: String,
    /// A value that would do.
    pub example: &'static str,
}

/// A variable with what its error needs. One that is empty, as compose files leave it, is unset.
#[derive(Clone, Copy)]
pub(super) struct Variable<'v> {
    pub(super) name: &'static str,
    pub(super) example: &'static str,
    pub(super) value: &'v str,
}

impl<'v> Variable<'v> {
    pub(super) fn new(
        name: &'static str,
        example: &'static str,
        value: &'v Option<String>,
    ) -> Self {
        Self {
            name,
            example,
            value: value.as_deref().unwrap_or_default().trim(),
        }
    }

    pub(super) fn optional(self) -> Option<Self> {
        (!self.value.is_empty()).then_some(self)
    }

    pub(super) fn required(self) -> Result<Self, ConfigError> {
        self.optional()
            .ok_or_else(|| self.error("is not set".to_owned()))
    }

    pub(super) fn parse_with<T, E: fmt::Display>(
        self,
        parse: impl FnOnce(&'v str) -> Result<T, E>,
    ) -> Result<T, ConfigError> {
        parse(self.value).map_err(|problem| {
            let problem = problem.to_string();
            // Library errors describe the value: "not a URL".
            let verb = if problem.starts_with("is ") {
                ""
            } else {
                "is unusable: "
            };
            self.error(format!("{verb}{problem}"))
        })
    }

    /// A whole number of `things`, if the variable is set.
    pub(super) fn number(
        self,
        range: RangeInclusive<u64>,
        things: &str,
    ) -> Result<Option<u64>, ConfigError> {
        let Some(variable) = self.optional() else {
            return Ok(None);
        };
        let number = variable
            .value
            .parse()
            .ok()
            .filter(|number| range.contains(number));
        number.map(Some).ok_or_else(|| {
            let (least, most) = range.into_inner();
            variable.error(format!(
                "is not a whole number of {things} from {least} to {most}"
            ))
        })
    }

    /// A comma-separated list, if the variable is set.
    pub(super) fn list(self) -> Result<Option<Vec<String>>, ConfigError> {
        let Some(variable) = self.optional() else {
            return Ok(None);
        };
        let entries: Vec<String> = variable
            .value
            .split(',')
            .map(|entry| entry.trim().to_owned())
            .collect();
        match entries.iter().any(String::is_empty) {
            true => Err(self.error("holds an empty entry".to_owned())),
            false => Ok(Some(entries)),
        }
    }

    pub(super) fn error(&self, problem: String) -> ConfigError {
        ConfigError {
            variable: self.name,
            problem,
            example: self.example,
        }
    }
}
