//! Limits that an operator may set: each has a default that is safe, and bounds.

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::Args;

use super::http::HttpOptions;
use super::process;
use super::server::ServerLimits;
use super::store::StoreOptions;
use super::variable::{ConfigError, Variable};

/// Each takes memory, and a file descriptor.
const CONNECTIONS: RangeInclusive<u64> = 1..=100_000;
/// None would let nothing through, and an hour is as good as no limit.
const SECONDS: RangeInclusive<u64> = 1..=3600;
/// PostgreSQL allows 100 in all unless told otherwise.
const DATABASE_CONNECTIONS: RangeInclusive<u64> = 1..=1000;
/// Clients do not wait longer for an answer that will not come.
const DATABASE_SECONDS: RangeInclusive<u64> = 1..=60;

/// The limits of `serve`, as they come in.
#[derive(Args, Clone, Debug, Default)]
pub struct LimitArgs {
    /// Connections at the same time [default: 512, or as many as the
    /// process may open files for].
    #[arg(long, env = "MAX_CONNECTIONS", value_name = "CONNECTIONS")]
    pub max_connections: Option<String>,
    /// For a whole request, its body included [default: 30].
    #[arg(long, env = "REQUEST_TIMEOUT_SECONDS", value_name = "SECONDS")]
    pub request_timeout_seconds: Option<String>,
    /// For the head of a request, and for the first byte of a connection [default: 10].
    #[arg(long, env = "HEADER_READ_TIMEOUT_SECONDS", value_name = "SECONDS")]
    pub header_read_timeout_seconds: Option<String>,
    /// How long a connection without a request is kept. Behind a proxy that keeps connections,
    /// longer than the proxy does [default: 60].
    #[arg(long, env = "IDLE_TIMEOUT_SECONDS", value_name = "SECONDS")]
    pub idle_timeout_seconds: Option<String>,
    /// For requests in flight when it is told to stop [default: 10].
    #[arg(long, env = "SHUTDOWN_GRACE_SECONDS", value_name = "SECONDS")]
    pub shutdown_grace_seconds: Option<String>,
    /// Connections to the database [default: 16 to PostgreSQL, 4 that read a SQLite file].
    #[arg(long, env = "DATABASE_MAX_CONNECTIONS", value_name = "CONNECTIONS")]
    pub database_max_connections: Option<String>,
    /// To wait for a connection to the database, and then for its answer [default: 5].
    #[arg(long, env = "DATABASE_TIMEOUT_SECONDS", value_name = "SECONDS")]
    pub database_timeout_seconds: Option<String>,
}

/// The limits, read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of connections.
    pub server: ServerLimits,
    /// For a whole request.
    pub request_timeout: Duration,
    /// Of the database.
    pub store: StoreOptions,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            server: ServerLimits::default(),
            request_timeout: HttpOptions::default().request_timeout,
            store: StoreOptions::default(),
        }
    }
}

impl LimitArgs {
    /// Reads the limits.
    ///
    /// # Errors
    /// For the first variable that does not parse, or that is out of bounds.
    pub fn parse(&self) -> Result<Limits, ConfigError> {
        let mut limits = Limits::default();
        let seconds = |name, example, value, range| {
            let seconds = Variable::new(name, example, value).number(range, "seconds")?;
            Ok(seconds.map(Duration::from_secs))
        };
        for (name, example, value, range, limit) in [
            (
                "REQUEST_TIMEOUT_SECONDS",
                "30",
                &self.request_timeout_seconds,
                SECONDS,
                &mut limits.request_timeout,
            ),
            (
                "HEADER_READ_TIMEOUT_SECONDS",
                "10",
                &self.header_read_timeout_seconds,
                SECONDS,
                &mut limits.server.header_read_timeout,
            ),
            (
                "IDLE_TIMEOUT_SECONDS",
                "60",
                &self.idle_timeout_seconds,
                SECONDS,
                &mut limits.server.idle_timeout,
            ),
            (
                "SHUTDOWN_GRACE_SECONDS",
                "10",
                &self.shutdown_grace_seconds,
                SECONDS,
                &mut limits.server.shutdown_grace,
            ),
            (
                "DATABASE_TIMEOUT_SECONDS",
                "5",
                &self.database_timeout_seconds,
                DATABASE_SECONDS,
                &mut limits.store.timeout,
            ),
        ] {
            if let Some(seconds) = seconds(name, example, value, range)? {
                *limit = seconds;
            }
        }
        let database = Variable::new(
            "DATABASE_MAX_CONNECTIONS",
            "16",
            &self.database_max_connections,
        );
        let database = database.number(DATABASE_CONNECTIONS, "connections")?;
        limits.store.max_connections =
            database.map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        if let Some(number) = self.max_connections().number(CONNECTIONS, "connections")? {
            limits.server.max_connections = usize::try_from(number).unwrap_or(usize::MAX);
        }
        Ok(limits)
    }

    /// The limits, and the process made fit for so many connections.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and when the process may not open as many files as were asked for.
    pub fn apply(&self) -> Result<Limits, ConfigError> {
        let mut limits = self.parse()?;
        let variable = self.max_connections();
        let wanted = limits.server.max_connections;
        let possible = process::allow_connections(wanted);
        if possible < wanted && variable.optional().is_some() {
            return Err(variable.error(format!(
                "is more than the {possible} for which the process may open files (ulimit -n)"
            )));
        }
        limits.server.max_connections = possible;
        Ok(limits)
    }

    fn max_connections(&self) -> Variable<'_> {
        Variable::new("MAX_CONNECTIONS", "512", &self.max_connections)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(value: &str) -> Option<String> {
        Some(value.to_owned())
    }

    #[test]
    fn what_is_not_set_is_as_documented() {
        let limits = LimitArgs::default().parse().unwrap();
        let seconds = [
            limits.request_timeout,
            limits.server.header_read_timeout,
            limits.server.idle_timeout,
            limits.server.shutdown_grace,
            limits.store.timeout,
        ];
        assert_eq!(seconds.map(|limit| limit.as_secs()), [30, 10, 60, 10, 5]);
        assert_eq!(limits.server.max_connections, 512);
        assert_eq!(limits.store.max_connections, None);
    }

    #[test]
    fn each_limit_is_set_by_its_own_variable() {
        let args = LimitArgs {
            max_connections: set("1"),
            request_timeout_seconds: set("2"),
            header_read_timeout_seconds: set("3"),
            idle_timeout_seconds: set("4"),
            shutdown_grace_seconds: set("5"),
            database_max_connections: set("6"),
            database_timeout_seconds: set("7"),
        };
        let limits = args.parse().unwrap();
        let seconds = [
            limits.request_timeout,
            limits.server.header_read_timeout,
            limits.server.idle_timeout,
            limits.server.shutdown_grace,
            limits.store.timeout,
        ];
        assert_eq!(seconds.map(|limit| limit.as_secs()), [2, 3, 4, 5, 7]);
        assert_eq!(limits.server.max_connections, 1);
        assert_eq!(limits.store.max_connections, Some(6));
    }

    #[test]
    fn what_is_no_limit_is_named_with_its_bounds_and_an_example() {
        type Change = fn(&mut LimitArgs, Option<String>);
        let rows: [(&str, &str, Change); 7] = [
            ("MAX_CONNECTIONS", "from 1 to 100000", |args, value| {
                args.max_connections = value;
            }),
            (
                "REQUEST_TIMEOUT_SECONDS",
                "from 1 to 3600",
                |args, value| {
                    args.request_timeout_seconds = value;
                },
            ),
            (
                "HEADER_READ_TIMEOUT_SECONDS",
                "from 1 to 3600",
                |args, value| args.header_read_timeout_seconds = value,
            ),
            ("IDLE_TIMEOUT_SECONDS", "from 1 to 3600", |args, value| {
                args.idle_timeout_seconds = value;
            }),
            ("SHUTDOWN_GRACE_SECONDS", "from 1 to 3600", |args, value| {
                args.shutdown_grace_seconds = value;
            }),
            (
                "DATABASE_MAX_CONNECTIONS",
                "from 1 to 1000",
                |args, value| args.database_max_connections = value,
            ),
            ("DATABASE_TIMEOUT_SECONDS", "from 1 to 60", |args, value| {
                args.database_timeout_seconds = value;
            }),
        ];
        for (variable, bounds, change) in rows {
            for bad in ["0", "-1", "1.5", "10s", "100001", "99999999999999999999"] {
                let mut args = LimitArgs::default();
                change(&mut args, set(bad));
                let error = args.parse().unwrap_err().to_string();
                let example = format!("; for example {variable}=");
                assert!(error.starts_with(variable), "{bad}: {error}");
                assert!(
                    error.contains(bounds) && error.contains(&example),
                    "{error}"
                );
                let example = error.split_once(&example).unwrap().1.to_owned();
                change(&mut args, Some(example));
                assert!(args.parse().is_ok());
            }
        }
    }

    #[test]
    fn more_connections_than_files_may_be_open_are_no_default_and_no_setting() {
        // A hundred thousand are within the bounds; whether the process may is the machine's.
        let args = LimitArgs {
            max_connections: set("100000"),
            ..LimitArgs::default()
        };
        match args.apply() {
            Ok(limits) => assert_eq!(limits.server.max_connections, 100_000),
            Err(error) => assert!(error.to_string().contains("ulimit -n"), "{error}"),
        }
    }
}
