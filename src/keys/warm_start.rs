//! Warm start: the last good key set in a file, for a restart while the auth server is away.
//!
//! 1. What is written are the public members of the keys that could verify tokens, when the auth
//!    server answered, and where it was asked; what is read goes through the parser that reads
//!    fetched documents.
//! 2. Whoever can write the file can plant keys. It is read only if it is a regular file, no
//!    symbolic link, and belongs to this process's user or to root, and nobody else may write it.
//!    Permissions are checked on Unix; elsewhere they are the operator's business.
//! 3. Its keys are as old as the answer they came with: [`RefreshOptions::max_staleness`] counts
//!    from then. A time in the future is refused.
//! 4. It is used only for the source it was written for.
//! 5. A file that is not used, and one that cannot be written, cost a line in the log and never
//!    more. A file system that does not answer is waited for only at the start, and not for long.
//! 6. A new file takes the place of the old one at once or not at all: neither a crash nor another
//!    process that writes the same file leaves half of one.
//!
//! The refreshes go on as without it, the first one at once, and each good answer replaces the file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::fetch::FetchKeySet;
use super::key;
use super::key_set::{Document, KeySet, KeySetError};
use super::refresh::RefreshOptions;
use super::remote::{Held, OnAnswer, RemoteKeySet, lock};

/// Raised when a file of an older version would be misunderstood.
const VERSION: u32 = 1;

/// A fetched document has at most 512 KiB; the rest of the file is small.
const MAX_FILE_LEN: u64 = 576 * 1024;

/// As much may the clock have gone back since the file was written: a policy's default leeway.
const FUTURE_LEEWAY: Duration = Duration::from_secs(30);

/// A file system that does not answer by then is not waited for.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the last good key set is kept between two runs.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use keyward::{BetterAuthUrl, Policy, RefreshOptions, RemoteKeySet, Verifier, WarmStart};
///
/// # let directory = tempfile::tempdir()?;
/// # let directory = directory.path();
/// let auth = BetterAuthUrl::parse("https://app.example.com")?;
/// let policy = Policy::new([auth.origin()], ["https://api.example.com"])?;
/// let fetcher = auth.fetcher(false)?;
/// let warm_start = WarmStart::new(directory.join("keys.json"), fetcher.url());
/// let keys = RemoteKeySet::with_warm_start(fetcher, RefreshOptions::default(), warm_start).await;
/// let verifier: Verifier = Verifier::builder(policy, keys).build();
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WarmStart {
    path: PathBuf,
    source: String,
}

impl WarmStart {
    /// A file at `path`, in a directory that only trusted users can write. `source` says where its
    /// keys come from, as [`HttpFetcher::url`](crate::HttpFetcher::url) does: a file that names
    /// another source is not used.
    pub fn new(path: impl Into<PathBuf>, source: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            source: source.into(),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl RemoteKeySet {
    /// As [`new`](Self::new), with the keys of an earlier run until the first fetch brings newer
    /// ones. Each good answer is written to the file. One that is missing, damaged, too old or not
    /// to be trusted, or that does not come within 5 s, is not used, and the log says why.
    ///
    /// # Panics
    /// Outside of a Tokio runtime with its time enabled.
    pub async fn with_warm_start(
        fetcher: impl FetchKeySet,
        options: RefreshOptions,
        warm_start: WarmStart,
    ) -> Self {
        let options = options.bounded();
        let file = Arc::new(warm_start);
        let held = match read_in_time(file.clone(), options).await {
            Ok((keys, age)) => {
                tracing::info!(
                    file = %file.path.display(),
                    usable = keys.len(),
                    age_seconds = age.as_secs(),
                    "key set of an earlier run"
                );
                Some(Held { keys, age })
            }
            Err(Unusable::Missing) => None,
            Err(reason) => {
                tracing::warn!(file = %file.path.display(), %reason, "key set file not used");
                None
            }
        };
        Self::start(fetcher, options, held, Some(keeper_of(file)))
    }
}

/// Why a file is not used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Unusable {
    #[error("there is none")]
    Missing,
    #[error("it cannot be read: {0}")]
    Unreadable(io::ErrorKind),
    #[error("it could not be read in time")]
    Timeout,
    #[error("it is a symbolic link")]
    Link,
    #[error("it is not a regular file")]
    NotAFile,
    #[error("it belongs to another user than this process's")]
    Owner,
    #[error("others than its owner may write it")]
    Writable,
    #[error("it is larger than {MAX_FILE_LEN} bytes")]
    TooLarge,
    #[error("it is damaged, or of another version")]
    Damaged,
    #[error("its keys are from another source")]
    Foreign,
    #[error("its time is in the future")]
    Future,
    #[error("its keys are older than the maximum staleness")]
    TooOld,
    #[error(transparent)]
    Keys(#[from] KeySetError),
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            kind => Self::Unreadable(kind),
        }
    }
}

/// What the file says beside its keys.
#[derive(Deserialize)]
struct Head {
    version: u32,
    source: String,
    answered_at: u64,
}

/// The file.
#[derive(Serialize)]
struct Content<'c> {
    version: u32,
    source: &'c str,
    /// Seconds since the Unix epoch.
    answered_at: u64,
    keys: &'c [Box<RawValue>],
}

/// On a thread that nobody waits for: a file system may hang, and neither a runtime nor the process
/// should with it.
async fn read_in_time(
    file: Arc<WarmStart>,
    options: RefreshOptions,
) -> Result<(KeySet, Duration), Unusable> {
    let (send, receive) = oneshot::channel();
    spawn(move || {
        let _ = send.send(read(&file, &options, SystemTime::now()));
    })?;
    match timeout(READ_TIMEOUT, receive).await {
        Ok(Ok(result)) => result,
        _ => Err(Unusable::Timeout),
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = std::thread::Builder::new().name("keyward-key-file".to_owned());
    thread.spawn(work).map(drop)
}

/// The keys, and how old they are.
fn read(
    file: &WarmStart,
    options: &RefreshOptions,
    now: SystemTime,
) -> Result<(KeySet, Duration), Unusable> {
    let opened = open(&file.path)?;
    check(&opened.metadata()?)?;
    let mut content = Vec::new();
    // It may grow while it is read.
    opened.take(MAX_FILE_LEN + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE_LEN {
        return Err(Unusable::TooLarge);
    }
    let head: Head = serde_json::from_slice(&content).map_err(|_| Unusable::Damaged)?;
    if head.version != VERSION {
        return Err(Unusable::Damaged);
    }
    if head.source != file.source {
        return Err(Unusable::Foreign);
    }
    let answered_at = SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_secs(head.answered_at))
        .ok_or(Unusable::Future)?;
    let age = match now.duration_since(answered_at) {
        Ok(age) => age,
        Err(ahead) if ahead.duration() <= FUTURE_LEEWAY => Duration::ZERO,
        Err(_) => return Err(Unusable::Future),
    };
    if age >= options.max_staleness {
        return Err(Unusable::TooOld);
    }
    let keys = KeySet::from_document(&content, options.max_keys, None)?;
    Ok((keys, age))
}

#[cfg(unix)]
fn open(path: &Path) -> Result<File, Unusable> {
    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;
    // Without NONBLOCK, opening a named pipe waits for its other end.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => Ok(file.into()),
        Err(Errno::LOOP | Errno::MLINK) => Err(Unusable::Link),
        Err(error) => Err(io::Error::from(error).into()),
    }
}

#[cfg(not(unix))]
fn open(path: &Path) -> Result<File, Unusable> {
    match fs::symlink_metadata(path)?.is_symlink() {
        true => Err(Unusable::Link),
        false => Ok(File::open(path)?),
    }
}

/// Of the file that was opened, whatever has the name by now.
fn check(metadata: &fs::Metadata) -> Result<(), Unusable> {
    if !metadata.is_file() {
        return Err(Unusable::NotAFile);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        const WRITABLE_BY_GROUP_OR_OTHERS: u32 = 0o022;
        let user = rustix::process::geteuid();
        if metadata.uid() != user.as_raw() && metadata.uid() != 0 {
            return Err(Unusable::Owner);
        }
        if metadata.mode() & WRITABLE_BY_GROUP_OR_OTHERS != 0 {
            return Err(Unusable::Writable);
        }
    }
    match metadata.len() > MAX_FILE_LEN {
        true => Err(Unusable::TooLarge),
        false => Ok(()),
    }
}

/// What writes each good answer to the file.
fn keeper_of(file: Arc<WarmStart>) -> Box<OnAnswer> {
    let writer = Arc::new(Writer {
        file,
        state: Mutex::default(),
    });
    // Of the last document, for answers that say it is still the one.
    let last: Mutex<Vec<Box<RawValue>>> = Mutex::default();
    Box::new(move |keys, document| {
        let mut last = lock(&last);
        if let Some(document) = document {
            *last = public_keys(keys, document);
        }
        let answered_at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let content = Content {
            version: VERSION,
            source: &writer.file.source,
            answered_at: answered_at.unwrap_or_default().as_secs(),
            keys: &last,
        };
        if let Ok(content) = serde_json::to_vec(&content) {
            writer.write(content);
        }
    })
}

/// The keys that `keys` took from `document`, without anything but what verifying needs.
fn public_keys(keys: &KeySet, document: &[u8]) -> Vec<Box<RawValue>> {
    let Ok(document) = serde_json::from_slice::<Document<'_>>(document) else {
        return Vec::new();
    };
    let all = document.keys.iter().zip(keys.outcomes());
    let usable = all.filter(|(_, outcome)| outcome.result.is_ok());
    usable
        .filter_map(|(jwk, _)| key::public_members(jwk.get().as_bytes()))
        .collect()
}

/// Writes on a thread of its own, one content after the other; of several that wait, the last.
struct Writer {
    file: Arc<WarmStart>,
    state: Mutex<WriterState>,
}

#[derive(Default)]
struct WriterState {
    next: Option<Vec<u8>>,
    running: bool,
    /// So that a directory that cannot be written is said once, and not every five minutes.
    failing: bool,
}

impl Writer {
    fn write(self: &Arc<Self>, content: Vec<u8>) {
        {
            let mut state = lock(&self.state);
            state.next = Some(content);
            if state.running {
                return;
            }
            state.running = true;
        }
        let writer = self.clone();
        let spawned = spawn(move || {
            while let Some(content) = writer.next() {
                writer.report(replace(&writer.file.path, &content));
            }
        });
        if let Err(error) = spawned {
            lock(&self.state).running = false;
            self.report(Err(error));
        }
    }

    fn next(&self) -> Option<Vec<u8>> {
        let mut state = lock(&self.state);
        let next = state.next.take();
        state.running = next.is_some();
        next
    }

    fn report(&self, result: io::Result<()>) {
        let failed = result.is_err();
        let failed_before = std::mem::replace(&mut lock(&self.state).failing, failed);
        let file = self.file.path.display();
        match result {
            Err(error) if !failed_before => {
                tracing::warn!(%file, reason = %error, "key set file not written");
            }
            Ok(()) if failed_before => tracing::info!(%file, "key set file written again"),
            _ => {}
        }
    }
}

/// Puts a new file in the place of the old one. The name is one that nobody else has: where every
/// process has the same id, as in containers, one that was killed may have left its own.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:016x}.tmp", fastrand::u64(..)));
    let temporary = Temporary(directory.join(name));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary.0)?;
    file.write_all(content)?;
    // Else the name may reach the disk before the content does.
    file.sync_all()?;
    fs::rename(&temporary.0, path)?;
    // And only then is the name there for good.
    #[cfg(unix)]
    File::open(directory)?.sync_all()?;
    Ok(())
}

/// Removed unless it was renamed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::*;

    const SOURCE: &str = "https://app.example.com/api/auth/jwks";
    const NOW: u64 = 2_000_000_000;
    const DAY: u64 = 24 * 60 * 60;
    const JWK: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"1","x":"H5mXFWQbTlJPHsUTo8Qr9iextfMLK-z2ItnIH_ou610"}"#;

    struct Place {
        _directory: TempDir,
        file: WarmStart,
    }

    impl Place {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let file = WarmStart::new(directory.path().join("keys.json"), SOURCE);
            Self {
                _directory: directory,
                file,
            }
        }

        fn holding(content: impl AsRef<[u8]>) -> Self {
            let place = Self::new();
            replace(&place.file.path, content.as_ref()).unwrap();
            place
        }

        fn read(&self) -> Result<u64, Unusable> {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
            let read = read(&self.file, &RefreshOptions::default(), now);
            read.map(|(_, age)| age.as_secs())
        }
    }

    /// A file that is good but for what `change` does to it.
    fn content(change: impl FnOnce(&mut Value)) -> String {
        let jwk: Value = serde_json::from_str(JWK).unwrap();
        let mut content =
            json!({"version": 1, "source": SOURCE, "answered_at": NOW - 60, "keys": [jwk]});
        change(&mut content);
        content.to_string()
    }

    fn changed(member: &str, value: Value) -> String {
        content(|content| content[member] = value)
    }

    #[test]
    fn a_good_file_is_as_old_as_its_answer() {
        assert_eq!(Place::holding(content(|_| ())).read(), Ok(60));
        for (answered_at, age) in [(NOW, 0), (NOW + 30, 0), (NOW - DAY + 1, DAY - 1)] {
            let place = Place::holding(changed("answered_at", json!(answered_at)));
            assert_eq!(place.read(), Ok(age), "{answered_at}");
        }
    }

    #[test]
    fn a_file_that_is_damaged_foreign_or_of_another_time_is_not_used() {
        let whole = content(|_| ());
        let twice = whole.replacen('{', r#"{"source":"https://evil.example","#, 1);
        let with_private = JWK.replacen('{', r#"{"d":"c2VjcmV0","#, 1);
        let private: Value = serde_json::from_str(&with_private).unwrap();
        let long = format!("{whole}{}", " ".repeat(MAX_FILE_LEN as usize));
        let many = vec![serde_json::from_str::<Value>(JWK).unwrap(); 257];
        for (name, content, expected) in [
            ("empty", String::new(), Unusable::Damaged),
            (
                "half",
                whole[..whole.len() / 2].to_owned(),
                Unusable::Damaged,
            ),
            ("no JSON", "keys".to_owned(), Unusable::Damaged),
            ("a list", "[]".to_owned(), Unusable::Damaged),
            (
                "more behind it",
                format!("{whole}{whole}"),
                Unusable::Damaged,
            ),
            ("too long", long, Unusable::TooLarge),
            (
                "another version",
                changed("version", json!(2)),
                Unusable::Damaged,
            ),
            (
                "no time",
                changed("answered_at", json!(null)),
                Unusable::Damaged,
            ),
            (
                "a time before 1970",
                changed("answered_at", json!(-1)),
                Unusable::Damaged,
            ),
            (
                "a time in parts",
                changed("answered_at", json!(1.5)),
                Unusable::Damaged,
            ),
            (
                "no source",
                changed("source", json!(null)),
                Unusable::Damaged,
            ),
            ("two sources", twice, Unusable::Damaged),
            (
                "a longer source",
                changed("source", json!(format!("{SOURCE}/"))),
                Unusable::Foreign,
            ),
            (
                "no such source",
                changed("source", json!("")),
                Unusable::Foreign,
            ),
            (
                "a day old",
                changed("answered_at", json!(NOW - DAY)),
                Unusable::TooOld,
            ),
            (
                "of 1970",
                changed("answered_at", json!(0)),
                Unusable::TooOld,
            ),
            (
                "ahead",
                changed("answered_at", json!(NOW + 31)),
                Unusable::Future,
            ),
            (
                "at no time",
                changed("answered_at", json!(u64::MAX)),
                Unusable::Future,
            ),
            (
                "no keys",
                changed("keys", json!([])),
                KeySetError::Empty.into(),
            ),
            (
                "keys of no kind",
                changed("keys", json!({})),
                KeySetError::Malformed.into(),
            ),
            (
                "a private key",
                changed("keys", json!([private])),
                KeySetError::NoUsableKey(1).into(),
            ),
            (
                "many keys",
                changed("keys", json!(many)),
                KeySetError::TooManyKeys(257).into(),
            ),
        ] {
            assert_eq!(Place::holding(content).read(), Err(expected), "{name}");
        }
        assert_eq!(Place::new().read(), Err(Unusable::Missing));
        let not_text = changed("source", json!("?")).replace('?', "\\ud800");
        assert_eq!(Place::holding(not_text).read(), Err(Unusable::Damaged));
        let mut bytes = whole.into_bytes();
        bytes.extend([0xff, 0xfe]);
        assert_eq!(Place::holding(bytes).read(), Err(Unusable::Damaged));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_have_written_is_not_used() {
        use std::os::unix::fs::{PermissionsExt, chown, symlink};

        for (mode, expected) in [
            (0o600, Ok(60)),
            (0o400, Ok(60)),
            (0o644, Ok(60)),
            (0o620, Err(Unusable::Writable)),
            (0o602, Err(Unusable::Writable)),
            (0o666, Err(Unusable::Writable)),
        ] {
            let place = Place::holding(content(|_| ()));
            fs::set_permissions(&place.file.path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(place.read(), expected, "{mode:o}");
        }

        // Only root can give a file away.
        if rustix::process::geteuid().is_root() {
            let place = Place::holding(content(|_| ()));
            chown(&place.file.path, Some(65534), None).unwrap();
            assert_eq!(place.read(), Err(Unusable::Owner));
        }

        let good = Place::holding(content(|_| ()));
        let place = Place::new();
        symlink(&good.file.path, &place.file.path).unwrap();
        assert_eq!(place.read(), Err(Unusable::Link));

        let place = Place::new();
        fs::create_dir(&place.file.path).unwrap();
        assert_eq!(place.read(), Err(Unusable::NotAFile));

        let place = Place::new();
        // Nobody will ever write into it.
        let made = std::process::Command::new("mkfifo")
            .arg(&place.file.path)
            .status();
        assert!(made.unwrap().success());
        assert_eq!(place.read(), Err(Unusable::NotAFile));
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_is_its_owners_alone_and_takes_a_links_place_not_its_targets() {
        use std::os::unix::fs::{MetadataExt, symlink};

        let other = Place::holding("precious");
        let place = Place::new();
        symlink(&other.file.path, &place.file.path).unwrap();
        replace(&place.file.path, b"new").unwrap();
        assert_eq!(fs::read(&other.file.path).unwrap(), b"precious");
        assert_eq!(fs::read(&place.file.path).unwrap(), b"new");
        let metadata = fs::symlink_metadata(&place.file.path).unwrap();
        assert_eq!(metadata.mode() & 0o7777, 0o600);
    }

    #[test]
    fn a_write_that_fails_leaves_nothing() {
        let place = Place::new();
        fs::create_dir(&place.file.path).unwrap();
        // A file cannot take the place of a directory.
        assert!(replace(&place.file.path, b"new").is_err());
        let directory = place.file.path.parent().unwrap();
        assert_eq!(fs::read_dir(directory).unwrap().count(), 1);
    }

    #[test]
    fn only_what_verifying_needs_is_kept() {
        let document = br#"{"keys":[
            {"kty":"OKP","crv":"Ed25519","kid":"1","alg":"EdDSA","use":"sig","key_ops":["verify"],"note":"hers",
             "x5c":["MII"],"x":"H5mXFWQbTlJPHsUTo8Qr9iextfMLK-z2ItnIH_ou610"},
            {"kty":"OKP","crv":"Ed25519","kid":"2","d":"c2VjcmV0","x":"H5mXFWQbTlJPHsUTo8Qr9iextfMLK-z2ItnIH_ou610"},
            {"kty":"oct","kid":"3","k":"c2VjcmV0"},
            {"kty":"OKP","crv":"Ed25519","kid":4,"x":"H5mXFWQbTlJPHsUTo8Qr9iextfMLK-z2ItnIH_ou610"}
        ]}"#;
        let keys = KeySet::from_json(document).unwrap();
        let kept = public_keys(&keys, document);
        let kept: Vec<&str> = kept.iter().map(|jwk| jwk.get()).collect();
        assert_eq!(
            kept,
            [
                r#"{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"1","use":"sig","x":"H5mXFWQbTlJPHsUTo8Qr9iextfMLK-z2ItnIH_ou610"}"#
            ]
        );
    }
}
