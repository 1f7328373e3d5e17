//! The verified-token cache: what a verifier has found out about a token, for when it comes again.
//!
//! A browser sends the same token for 15 minutes, so that most verifications are of tokens already
//! proven. Only successes are kept. An entry is used for *exactly* the token it was made of: a
//! randomly keyed hash of the signature's tail places it, and a comparison of the whole token
//! decides. (A 256-bit digest in place of the token would save memory and cost ten times as much a
//! hit: 0.36 µs for SHA-256 of 0.6 KiB. Base64url is strict, so a token has one spelling, and only
//! what the issuer signed gets in, so nobody can aim at a place.)
//!
//! The cache says nothing about time or keys: whoever finds a token checks its times and that its
//! key is still in use.
//!
//! # Structure
//!
//! Sets of 16 ways, as in a processor's cache. A reader takes no lock and writes to nothing that
//! other threads read, but for the principal's count of references and, once a second, a mark of
//! use. A writer locks its one set.
//!
//! What a lookup took elsewhere, with the same hash and comparison, in nanoseconds for one token and
//! for 10,000: papaya 30 and 92, dashmap 32 and 90, quick_cache 34 and 97, 64 locked tables 35 and
//! 108, moka 91 and 267. Of these only quick_cache and moka have a bound, and none counts bytes and
//! keeps a flood from regular users without an exclusive lock, or a write to a shared line, with
//! each hit: on two threads the locked ones were slower in all than one thread alone.
//!
//! # Who has to leave
//!
//! A flood of tokens that come once must not drive out those that come again and again. A newcomer
//! takes the place of entries that were never used, the oldest first; of those that were used it
//! can displace one, the one not used for the longest time. The next newcomer then displaces the
//! first. So a flood, however long, takes one way of 16 from regular users.

use std::cmp::Reverse;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;

use crate::claims::{Principal, Verified};
use crate::keys::key_set::KeySet;

const WAYS: usize = 16;

/// Whole cache lines: the first is all that is read to find a way.
#[repr(C, align(64))]
struct Set<C> {
    /// Part of the hash of the token in each way; 0 for none. A hint: the entry decides.
    tags: [AtomicU16; WAYS],
    /// When each way was last used, a [`tick`]; 0 for never. With the tags it fills one cache line.
    used_at: [AtomicU16; WAYS],
    entries: [ArcSwapOption<Entry<C>>; WAYS],
    writer: Mutex<Writer>,
}

/// What only writers look at.
#[derive(Default)]
struct Writer {
    residents: [Option<Resident>; WAYS],
    bytes: usize,
    newcomers: u32,
    evictions: u64,
}

#[derive(Clone, Copy)]
struct Resident {
    bytes: usize,
    /// Its number among the newcomers.
    arrival: u32,
    /// In seconds, rounded up: whoever finds it asks for the exact time anyway.
    dies_at: u32,
}

struct Entry<C> {
    /// The token up to its first dot. An issuer's tokens have one between them.
    header: Arc<str>,
    rest: Box<str>,
    principal: Principal<C>,
    /// The last key set that was seen to hold the key.
    generation: AtomicU64,
}

impl<C> Entry<C> {
    fn is_of(&self, token: &str) -> bool {
        token.strip_prefix(&*self.header) == Some(&*self.rest)
    }
}

/// How much the cache of verified tokens may hold.
///
/// ```
/// let mut options = keyward::CacheOptions::default();
/// options.max_entries = 100_000;
/// options.max_bytes = 200 * 1024 * 1024;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheOptions {
    /// Never more tokens than this: 16,384. They are spread over sets of 16, some of which are full
    /// before others; for no token to be displaced allow for a third more than there will be.
    pub max_entries: usize,
    /// Never more memory than this, in bytes: 32 MiB. It is a close estimate, since the size of the
    /// application's claims is not known: a token counts with its own length, that of its payload,
    /// and the sizes of the structures around them. A set has its share of this, and a token that
    /// would need more than a set has is not kept.
    pub max_bytes: usize,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            max_entries: 16 * 1024,
            max_bytes: 32 * 1024 * 1024,
        }
    }
}

/// How full a cache of verified tokens is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStatus {
    /// Tokens in it.
    pub entries: usize,
    /// The memory they take, estimated as for [`CacheOptions::max_bytes`].
    pub bytes: usize,
    /// Tokens that had to leave before they expired, since the start.
    pub evictions: u64,
}

/// What a verification has found out.
pub(crate) struct Proven<'t, C> {
    pub(crate) token: &'t str,
    /// The token up to its first dot, shared where it can be.
    pub(crate) header: Arc<str>,
    pub(crate) payload_len: usize,
    pub(crate) principal: &'t Principal<C>,
    /// Of the key set that proved it.
    pub(crate) generation: u64,
    /// When it will not be accepted any more; `None` for a time beyond the clock's.
    pub(crate) dies_at: Option<SystemTime>,
}

/// Expired entries are dropped when they are met, when their set gets a newcomer, and this often
/// with a newcomer anywhere.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

pub(crate) struct TokenCache<C> {
    hasher: SeedableRandomState,
    sets: Box<[Set<C>]>,
    ways: usize,
    bytes_per_set: usize,
    /// In seconds.
    swept_at: AtomicU32,
}

impl<C> TokenCache<C> {
    pub(crate) fn new(options: CacheOptions) -> Self {
        let ways = options.max_entries.min(WAYS);
        let sets = (options.max_entries / WAYS).max(1);
        // From the operating system's randomness, which foldhash's own seed does not promise.
        let seed = RandomState::new().hash_one(());
        Self {
            hasher: SeedableRandomState::with_seed(seed, SharedSeed::global_random()),
            sets: (0..sets).map(|_| Set::default()).collect(),
            ways,
            bytes_per_set: options.max_bytes / sets,
            swept_at: AtomicU32::new(0),
        }
    }

    /// Gives the entry of exactly this token to `read`, if there is one.
    pub(crate) fn find<R>(&self, token: &str, read: impl FnOnce(Hit<'_, C>) -> R) -> Option<R> {
        let (set, tag) = self.place(token)?;
        set.find(token, tag, read)
    }

    /// Keeps what was proven, if there is room.
    pub(crate) fn insert(&self, proven: Proven<'_, C>, now: SystemTime) {
        let Proven { token, dies_at, .. } = proven;
        let Some((set, tag)) = self.place(token) else {
            return;
        };
        let Some(rest) = token.strip_prefix(&*proven.header) else {
            return;
        };
        // A header that the key set does not keep is kept by the entry alone.
        let unshared = Arc::strong_count(&proven.header) == 1;
        let header_len = if unshared { proven.header.len() } else { 0 };
        let bytes = Self::OVERHEAD + header_len + rest.len() + proven.payload_len;
        let entry = Entry {
            rest: rest.into(),
            header: proven.header,
            principal: proven.principal.clone(),
            generation: AtomicU64::new(proven.generation),
        };
        let mut writer = set.writer();
        set.drop_expired(&mut writer, seconds(now));
        let way = match set.find(token, tag, |hit| hit.way) {
            // Another thread was faster.
            Some(way) => Some(way),
            None => {
                let room = (self.ways, self.bytes_per_set);
                set.make_room(&mut writer, room, bytes, now)
            }
        };
        if let Some(way) = way {
            let dies_at = dies_at.map_or(u32::MAX, |dies_at| seconds(dies_at).saturating_add(1));
            set.put(&mut writer, way, tag, entry, bytes, dies_at);
        }
        drop(writer);
        self.sweep(now);
    }

    /// An entry, a principal, and what the allocator adds to them and to some eight strings.
    const OVERHEAD: usize = size_of::<Entry<C>>() + size_of::<Verified<C>>() + 128;

    fn place(&self, token: &str) -> Option<(&Set<C>, u16)> {
        // The end of a signature is as good as random.
        let tail: &[u8; 16] = token.as_bytes().last_chunk()?;
        let hash = self.hasher.hash_one(u128::from_le_bytes(*tail));
        // The upper half, scaled to the number of sets; the lower half is the tag.
        let set = ((hash >> 32) * self.sets.len() as u64) >> 32;
        Some((self.sets.get(set as usize)?, (hash as u16).max(1)))
    }

    fn sweep(&self, now: SystemTime) {
        let now = seconds(now);
        let swept_at = self.swept_at.load(Ordering::Relaxed);
        let due = u64::from(now.abs_diff(swept_at)) >= SWEEP_INTERVAL.as_secs();
        let mine = due
            && self
                .swept_at
                .compare_exchange(swept_at, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine {
            for set in &self.sets {
                set.drop_expired(&mut set.writer(), now);
            }
        }
    }

    pub(crate) fn status(&self) -> CacheStatus {
        let mut status = CacheStatus::default();
        for set in &self.sets {
            let writer = set.writer();
            status.entries += writer.residents.iter().flatten().count();
            status.bytes += writer.bytes;
            status.evictions += writer.evictions;
        }
        status
    }
}

/// Longer than any time between two ticks.
const NEVER_USED: u32 = u32::MAX;

/// A clock of seconds that starts anew after 18 hours and is never 0. What was used longer ago may
/// pass for used lately, which costs a place and nothing else.
fn tick(time: SystemTime) -> u16 {
    (seconds(time) as u16).max(1)
}

/// A coarse time that is never 0.
fn seconds(time: SystemTime) -> u32 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(1, |since| (since.as_secs() as u32).max(1))
}

impl<C> Default for Set<C> {
    fn default() -> Self {
        Self {
            tags: Default::default(),
            used_at: Default::default(),
            entries: Default::default(),
            writer: Mutex::default(),
        }
    }
}

impl<C> Set<C> {
    /// Gives the entry of this token to `read`.
    fn find<R>(&self, token: &str, tag: u16, read: impl FnOnce(Hit<'_, C>) -> R) -> Option<R> {
        let candidates = (0..WAYS).filter(|way| self.tags[*way].load(Ordering::Relaxed) == tag);
        for way in candidates {
            let entry = self.entries[way].load();
            if let Some(entry) = &*entry
                && entry.is_of(token)
            {
                let hit = Hit {
                    set: self,
                    way,
                    entry,
                };
                return Some(read(hit));
            }
        }
        None
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // What a panicking thread left behind is consistent enough: a way too many or too few.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drop_expired(&self, writer: &mut Writer, now: u32) {
        for way in 0..WAYS {
            if writer.residents[way].is_some_and(|resident| resident.dies_at <= now) {
                self.remove(writer, way);
            }
        }
    }

    fn remove(&self, writer: &mut Writer, way: usize) {
        self.tags[way].store(0, Ordering::Relaxed);
        self.entries[way].store(None);
        if let Some(resident) = writer.residents[way].take() {
            writer.bytes -= resident.bytes;
        }
    }

    /// A free way for an entry of so many bytes, if others may leave for it.
    fn make_room(
        &self,
        writer: &mut Writer,
        (ways, max_bytes): (usize, usize),
        bytes: usize,
        now: SystemTime,
    ) -> Option<usize> {
        let mut free = (0..ways).find(|way| writer.residents[*way].is_none());
        let mut remaining = writer.bytes;
        let mut leaving = 0;
        let mut queue = [(Reverse(0), 0, 0); WAYS];
        let mut queued = 0;
        if free.is_none() || remaining + bytes > max_bytes {
            // Never used first, then by time since the last use, then by age.
            let now = tick(now);
            for (way, resident) in writer.residents.iter().enumerate() {
                if let Some(resident) = resident {
                    let unused_for = match self.used_at[way].load(Ordering::Relaxed) {
                        0 => NEVER_USED,
                        used_at => u32::from(now.wrapping_sub(used_at)),
                    };
                    queue[queued] = (Reverse(unused_for), resident.arrival, way);
                    queued += 1;
                }
            }
            queue[..queued].sort_unstable();
        }
        let mut used = 0;
        while free.is_none() || remaining + bytes > max_bytes {
            let (Reverse(unused_for), _, way) = *queue[..queued].get(leaving)?;
            used += usize::from(unused_for != NEVER_USED);
            if used > 1 {
                return None;
            }
            remaining -= writer.residents[way].map_or(0, |resident| resident.bytes);
            free = free.or(Some(way));
            leaving += 1;
        }
        for (.., way) in &queue[..leaving] {
            self.remove(writer, *way);
            writer.evictions += 1;
        }
        free
    }

    fn put(
        &self,
        writer: &mut Writer,
        way: usize,
        tag: u16,
        entry: Entry<C>,
        bytes: usize,
        dies_at: u32,
    ) {
        let arrival = writer.newcomers;
        writer.newcomers = arrival.wrapping_add(1);
        let resident = Resident {
            bytes,
            arrival,
            dies_at,
        };
        writer.bytes += bytes;
        match writer.residents[way].replace(resident) {
            // The same token again.
            Some(before) => writer.bytes -= before.bytes,
            None => self.used_at[way].store(0, Ordering::Relaxed),
        }
        self.entries[way].store(Some(Arc::new(entry)));
        self.tags[way].store(tag, Ordering::Relaxed);
    }
}

/// An entry that was found.
pub(crate) struct Hit<'c, C> {
    set: &'c Set<C>,
    way: usize,
    entry: &'c Arc<Entry<C>>,
}

impl<C> Hit<'_, C> {
    pub(crate) fn principal(&self) -> &Principal<C> {
        &self.entry.principal
    }

    /// Whether `keys` holds the very key that proved the token.
    pub(crate) fn is_proven_by(&self, keys: &KeySet) -> bool {
        let generation = &self.entry.generation;
        if generation.load(Ordering::Relaxed) == keys.generation() {
            return true;
        }
        let held = keys.holds(&self.entry.principal.key);
        if held {
            generation.store(keys.generation(), Ordering::Relaxed);
        }
        held
    }

    /// Marks the entry as used.
    pub(crate) fn touch(&self, now: SystemTime) {
        let (used_at, now) = (&self.set.used_at[self.way], tick(now));
        // To write only what is new keeps the line shared between processors.
        if used_at.load(Ordering::Relaxed) != now {
            used_at.store(now, Ordering::Relaxed);
        }
    }

    /// Removes the entry.
    pub(crate) fn forget(&self) {
        let mut writer = self.set.writer();
        let current = self.set.entries[self.way].load();
        if current
            .as_ref()
            .is_some_and(|entry| Arc::ptr_eq(entry, self.entry))
        {
            self.set.remove(&mut writer, self.way);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::Algorithm;
    use crate::claims::Claims;
    use crate::trust::TrustId;

    const NOW: u64 = 1_795_450_000;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + seconds)
    }

    fn keys() -> KeySet {
        KeySet::from_json(
            br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"H5mXFWQbTlJPHsUTo8Qr9iextfMLK-z2ItnIH_ou610"}]}"#,
        )
        .unwrap()
    }

    fn principal(keys: &KeySet, subject: &str) -> Principal<()> {
        let claims = Claims {
            issuer: "i".into(),
            audience: "a".into(),
            subject: subject.into(),
            expires_at: at(900),
            not_before: None,
            issued_at: None,
            client_id: None,
            scopes: Box::default(),
            roles: Box::default(),
            organization: None,
            organization_roles: Box::default(),
            is_client: false,
        };
        Principal::new(Verified {
            claims,
            user: Some(()),
            algorithm: Algorithm::EdDsa,
            key: keys.select(Some("k"), Algorithm::EdDsa).unwrap().clone(),
            trust: TrustId::default(),
        })
    }

    /// A cache with a set of keys and a clock.
    struct Bench {
        cache: TokenCache<()>,
        keys: KeySet,
        now: SystemTime,
    }

    impl Bench {
        fn new(max_entries: usize, max_bytes: usize) -> Self {
            Self {
                cache: TokenCache::new(CacheOptions {
                    max_entries,
                    max_bytes,
                }),
                keys: keys(),
                now: at(0),
            }
        }

        fn insert(&self, token: &str) {
            self.insert_until(token, Some(at(900)));
        }

        fn insert_until(&self, token: &str, dies_at: Option<SystemTime>) {
            let proven = Proven {
                token,
                header: token.split('.').next().unwrap_or_default().into(),
                payload_len: 0,
                principal: &principal(&self.keys, token),
                generation: self.keys.generation(),
                dies_at,
            };
            self.cache.insert(proven, self.now);
        }

        /// Whose token it is, which counts as a use.
        fn look_up(&self, token: &str) -> Option<String> {
            self.cache.find(token, |hit| {
                hit.touch(self.now);
                hit.principal().subject().to_owned()
            })
        }

        fn holds(&self, token: &str) -> bool {
            self.cache.find(token, |_| ()).is_some()
        }

        fn entries(&self) -> usize {
            self.cache.status().entries
        }
    }

    /// Tokens differ in what the hash sees.
    fn token(number: usize) -> String {
        format!("header.payload.{number:0>80}")
    }

    #[test]
    fn a_token_is_found_with_its_own_principal_and_no_other() {
        let bench = Bench::new(1000, 10_000_000);
        for number in 0..200 {
            bench.insert(&token(number));
        }
        for number in 0..200 {
            assert_eq!(bench.look_up(&token(number)), Some(token(number)));
        }
        assert_eq!(bench.look_up(&token(200)), None);
        assert_eq!(bench.look_up(""), None);
        // The same tail, and so the same place and tag, with everything else changed.
        let other = token(7).replace("payload", "pay1oad");
        assert_eq!(bench.look_up(&other), None);
        bench.insert(&other);
        assert_eq!(bench.look_up(&other), Some(other.clone()));
        assert_eq!(bench.look_up(&token(7)), Some(token(7)));
    }

    #[test]
    fn the_same_token_again_takes_no_second_place() {
        let bench = Bench::new(16, 1_000_000);
        bench.insert(&token(1));
        let once = bench.cache.status();
        bench.insert(&token(1));
        assert_eq!((bench.cache.status(), once.entries), (once, 1));
    }

    #[test]
    fn entries_and_bytes_stay_within_their_bounds() {
        for max_entries in [0, 1, 2, 15, 16, 17, 100, 1000] {
            let bench = Bench::new(max_entries, 100_000_000);
            for number in 0..3000 {
                bench.insert(&token(number));
            }
            let entries = bench.entries();
            assert!(
                entries <= max_entries && entries * 2 >= max_entries,
                "{entries}"
            );
        }
        for max_bytes in [0, 100, 1000, 10_000, 100_000] {
            let bench = Bench::new(160, max_bytes);
            for number in 0..3000 {
                bench.insert(&token(number));
            }
            assert!(bench.cache.status().bytes <= max_bytes);
            let of_memory: usize = bench.cache.sets.iter().map(|set| set.writer().bytes).sum();
            assert_eq!(bench.cache.status().bytes, of_memory);
        }
    }

    #[test]
    fn a_flood_of_distinct_tokens_leaves_it_within_its_bounds() {
        let bench = Bench::new(1600, 1_000_000);
        for number in 0..200_000 {
            bench.insert(&token(number));
        }
        let status = bench.cache.status();
        assert!(status.entries <= 1600 && status.bytes <= 1_000_000);
        assert_eq!(status.evictions as usize, 200_000 - status.entries);
        let held = (0..200_000).filter(|number| bench.holds(&token(*number)));
        assert_eq!(held.count(), status.entries);
    }

    #[test]
    fn a_flood_of_tokens_that_come_once_displaces_few_that_come_again() {
        let mut bench = Bench::new(1600, 100_000_000);
        let regulars: Vec<String> = (0..800).map(token).collect();
        for regular in &regulars {
            bench.insert(regular);
            bench.look_up(regular);
        }
        // Some sets are full of regulars by now.
        let before = regulars
            .iter()
            .filter(|regular| bench.holds(regular))
            .count();
        for number in 1_000..100_000 {
            bench.now = at(number as u64 / 1000);
            bench.insert(&token(number));
        }
        let after = regulars
            .iter()
            .filter(|regular| bench.holds(regular))
            .count();
        assert!(before > 780, "{before}");
        // One way of 16, and only where all were taken.
        assert!(after * 20 > before * 19, "{after} of {before}");
    }

    #[test]
    fn a_flood_of_long_tokens_displaces_few_as_well() {
        let bench = Bench::new(16, 16 * 1000);
        for number in 0..15 {
            bench.insert(&token(number));
            bench.look_up(&token(number));
        }
        for number in 0..1000 {
            bench.insert(&format!("header.{}{number:0>80}", "x".repeat(8000)));
        }
        let left = (0..15).filter(|number| bench.holds(&token(*number)));
        assert!(left.count() >= 14);
        bench.insert(&"x".repeat(100_000));
        assert!(!bench.holds(&"x".repeat(100_000)));
    }

    #[test]
    fn the_one_not_used_for_the_longest_time_leaves_first() {
        let mut bench = Bench::new(16, 1_000_000);
        for number in 0..16 {
            bench.insert(&token(number));
        }
        for number in (0..16).rev() {
            bench.now = at(20 - number as u64);
            bench.look_up(&token(number));
        }
        bench.insert(&token(16));
        let gone: Vec<_> = (0..16)
            .filter(|number| !bench.holds(&token(*number)))
            .collect();
        assert_eq!(gone, [15]);
        // The newcomer was not used yet, and leaves for the next.
        bench.insert(&token(17));
        assert!(!bench.holds(&token(16)) && bench.holds(&token(17)) && bench.holds(&token(14)));
    }

    #[test]
    fn what_has_expired_is_dropped_with_the_next_newcomer_of_its_set_or_minute() {
        let mut bench = Bench::new(1000, 10_000_000);
        for number in 0..100 {
            bench.insert_until(&token(number), Some(at(5)));
        }
        bench.insert_until(&token(100), Some(at(500)));
        // Beyond what the clock can tell.
        bench.insert_until(&token(101), None);
        assert_eq!(bench.entries(), 102);
        bench.now = at(7 + SWEEP_INTERVAL.as_secs());
        bench.insert_until(&token(102), Some(at(500)));
        assert_eq!(bench.entries(), 3);
        assert_eq!(bench.cache.status().evictions, 0);
    }

    #[test]
    fn an_entry_is_good_for_the_sets_that_hold_its_very_key() {
        let bench = Bench::new(16, 1_000_000);
        bench.insert(&token(1));
        let proven = |keys: &KeySet| bench.cache.find(&token(1), |hit| hit.is_proven_by(keys));
        assert_eq!(proven(&bench.keys), Some(true));
        // The same key in a document that was parsed anew is another key...
        assert_eq!(proven(&keys()), Some(false));
        // ...unless it was taken over from the set before.
        let jwk = br#"{"kty":"OKP","crv":"Ed25519","kid":"k","x":"H5mXFWQbTlJPHsUTo8Qr9iextfMLK-z2ItnIH_ou610"}"#;
        let document = [&br#"{"more":1,"keys":[{},"#[..], jwk, b"]}"].concat();
        let next = KeySet::from_document(&document, 10, Some(&bench.keys)).unwrap();
        assert_eq!((proven(&next), proven(&next)), (Some(true), Some(true)));
        assert_eq!(proven(&bench.keys), Some(true));
    }

    #[test]
    fn what_is_forgotten_is_gone_and_its_place_is_free() {
        let bench = Bench::new(16, 1_000_000);
        bench.insert(&token(1));
        bench.cache.find(&token(1), |hit| hit.forget());
        assert!(!bench.holds(&token(1)));
        assert_eq!(bench.cache.status(), CacheStatus::default());
    }

    #[test]
    fn readers_and_writers_on_several_threads_find_nothing_but_their_own() {
        let bench = Bench::new(64, 1_000_000);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let bench = &bench;
                scope.spawn(move || {
                    let mut rng = fastrand::Rng::with_seed(thread);
                    for _ in 0..20_000 {
                        let token = token(rng.usize(..200));
                        match rng.u8(..4) {
                            0 => bench.insert(&token),
                            1 => {
                                bench.cache.find(&token, |hit| hit.forget());
                            }
                            _ => {
                                let found = bench.look_up(&token);
                                assert!(found.is_none_or(|subject| subject == token));
                            }
                        }
                    }
                });
            }
        });
        let status = bench.cache.status();
        let held = (0..200).filter(|number| bench.holds(&token(*number)));
        assert!(status.entries <= 64 && held.count() == status.entries);
    }
}
