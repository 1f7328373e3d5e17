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
//! # Who has to leave
//!
//! A flood of tokens that come once must not drive out those that come again and again. A newcomer
//! takes the place of entries that were never used, the oldest first; of those that were used it
//! can displace one, the one not used for the longest time. The next newcomer then displaces the
//! first. So a flood, however long, takes one way of 16 from regular users.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;

use crate::claims::{Principal, Verified};
use crate::keys::key_set::KeySet;

const WAYS: usize = 16;

/// Whole cache lines.
#[repr(align(64))]
struct Set<C> {
    /// Part of the hash of the token in each way; 0 for none. A hint: the entry decides.
    tags: [AtomicU32; WAYS],
    /// When each way was last used, in seconds; 0 for never.
    used_at: [AtomicU32; WAYS],
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
    token: Box<str>,
    principal: Principal<C>,
    /// The last key set that was seen to hold the key.
    generation: AtomicU64,
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

/// Expired entries are dropped when they are met, when their set gets a newcomer, and this often
/// with a newcomer anywhere.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

pub(crate) struct TokenCache<C> {
    hasher: RandomState,
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
        Self {
            hasher: RandomState::new(),
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

    /// Keeps a principal for its token, if there is room. `generation`: of the key set that proved
    /// it. `dies_at`: when it will not be accepted any more.
    pub(crate) fn insert(
        &self,
        token: &str,
        payload_len: usize,
        principal: &Principal<C>,
        generation: u64,
        dies_at: Option<SystemTime>,
        now: SystemTime,
    ) {
        let Some((set, tag)) = self.place(token) else {
            return;
        };
        let bytes = Self::OVERHEAD + token.len() + payload_len;
        let entry = Entry {
            token: token.into(),
            principal: principal.clone(),
            generation: AtomicU64::new(generation),
        };
        let mut writer = set.writer();
        set.drop_expired(&mut writer, seconds(now));
        let way = match set.find(token, tag, |hit| hit.way) {
            // Another thread was faster.
            Some(way) => Some(way),
            None => set.make_room(&mut writer, self.ways, self.bytes_per_set, bytes),
        };
        if let Some(way) = way {
            let dies_at = dies_at.map_or(u32::MAX, |dies_at| seconds(dies_at).saturating_add(1));
            set.put(&mut writer, way, tag, entry, bytes, dies_at);
        }
        drop(writer);
        self.sweep(now);
    }

    /// An entry, a principal, and what the allocator adds to them and to some ten strings.
    const OVERHEAD: usize = size_of::<Entry<C>>() + size_of::<Verified<C>>() + 200;

    fn place(&self, token: &str) -> Option<(&Set<C>, u32)> {
        // The end of a signature is as good as random.
        let tail = u128::from_le_bytes(*token.as_bytes().last_chunk()?);
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u128(tail);
        let hash = hasher.finish();
        // The upper half, scaled to the number of sets; the lower half is the tag.
        let set = ((hash >> 32) * self.sets.len() as u64) >> 32;
        Some((self.sets.get(set as usize)?, (hash as u32).max(1)))
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
    fn find<R>(&self, token: &str, tag: u32, read: impl FnOnce(Hit<'_, C>) -> R) -> Option<R> {
        let candidates = (0..WAYS).filter(|way| self.tags[*way].load(Ordering::Relaxed) == tag);
        for way in candidates {
            let entry = self.entries[way].load();
            if let Some(entry) = &*entry
                && *entry.token == *token
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
        ways: usize,
        max_bytes: usize,
        bytes: usize,
    ) -> Option<usize> {
        let mut free = (0..ways).find(|way| writer.residents[*way].is_none());
        let mut remaining = writer.bytes;
        let mut leaving = 0;
        let mut queue = [(0, 0, 0); WAYS];
        let mut queued = 0;
        if free.is_none() || remaining + bytes > max_bytes {
            // Never used first, then by time of last use, then by age.
            for (way, resident) in writer.residents.iter().enumerate() {
                if let Some(resident) = resident {
                    let used_at = self.used_at[way].load(Ordering::Relaxed);
                    queue[queued] = (used_at, resident.arrival, way);
                    queued += 1;
                }
            }
            queue[..queued].sort_unstable();
        }
        let mut used = 0;
        while free.is_none() || remaining + bytes > max_bytes {
            let (used_at, _, way) = *queue[..queued].get(leaving)?;
            used += usize::from(used_at > 0);
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
        tag: u32,
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
        let (used_at, now) = (&self.set.used_at[self.way], seconds(now));
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
