//! What the operating system allows the process.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

/// Files that are open beside connections: the database's, the exporters', the auth server's, and
/// what the runtime has.
const OTHER_FILES: u64 = 128;

/// SIGXFSZ, the same on every system that has it but for some MIPS ones.
const FILE_SIZE_EXCEEDED: i32 = 25;

/// Lets the process open files for so many connections, and says for how many it may. A soft limit
/// is a default that a process may raise up to the hard one.
pub fn allow_connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = u64::try_from(wanted).unwrap_or(u64::MAX);
    let needed = wanted.saturating_add(OTHER_FILES);
    let hard = limit.maximum.unwrap_or(u64::MAX);
    let mut soft = limit.current.unwrap_or(u64::MAX);
    if soft < needed {
        let raised = needed.min(hard);
        let raise = Rlimit {
            current: Some(raised),
            maximum: limit.maximum,
        };
        if setrlimit(Resource::Nofile, raise).is_ok() {
            soft = raised;
        }
    }
    usize::try_from(connections_within(soft).min(wanted)).unwrap_or(usize::MAX)
}

/// How many connections so many files allow. Where they are few, half of them are for connections.
fn connections_within(files: u64) -> u64 {
    files.saturating_sub(OTHER_FILES).max(files / 2).max(1)
}

/// Takes a file that may not grow (`ulimit -f`) for the error that it is: a full disk. The signal
/// that comes with it would end the process, and every other request with it.
///
/// # Errors
/// When the signal cannot be listened for.
pub fn survive_full_files() -> io::Result<()> {
    // Once listened for it is handled for good, whether or not anybody listens.
    signal(SignalKind::from_raw(FILE_SIZE_EXCEEDED)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_files_are_left_for_others_than_connections() {
        for (files, connections) in [
            (0, 1),
            (40, 20),
            (256, 128),
            (1024, 896),
            (u64::MAX, u64::MAX - OTHER_FILES),
        ] {
            assert_eq!(connections_within(files), connections, "{files}");
        }
    }
}
