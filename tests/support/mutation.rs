//! Inputs near to those that mean something: bytes at random are refused at the first check.

#![allow(dead_code, reason = "each test binary uses a part of it")]

/// How many cases to run: `usual`, or as many times that as `KEYWARD_PROPERTY_FACTOR` says.
pub fn cases(usual: usize) -> usize {
    let factor = std::env::var("KEYWARD_PROPERTY_FACTOR");
    usual * factor.map_or(1, |factor| factor.parse::<usize>().expect("a number"))
}

/// Makes inputs out of seeds, the same ones in each run unless `KEYWARD_PROPERTY_SEED` says otherwise.
pub struct Mutator {
    rng: fastrand::Rng,
    seeds: Vec<Vec<u8>>,
}

/// What parsers stumble over.
const TOKENS: [&[u8]; 24] = [
    b".",
    b"=",
    b"-",
    b"_",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"null",
    b"1e999",
    b"-0",
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b" ",
    b"\r\n",
    b"eyJ",
];

impl Mutator {
    pub fn new(test: u64, seeds: impl Iterator<Item = Vec<u8>>) -> Self {
        let seed = std::env::var("KEYWARD_PROPERTY_SEED")
            .map_or(0, |seed| seed.parse().expect("a number"));
        Self {
            rng: fastrand::Rng::with_seed(seed ^ test),
            seeds: seeds.collect(),
        }
    }

    /// An input of at most `max_len` bytes.
    pub fn next(&mut self, max_len: usize) -> Vec<u8> {
        let rng = &mut self.rng;
        let mut bytes = match rng.u8(..20) {
            0 => (0..rng.usize(..300)).map(|_| rng.u8(..)).collect(),
            1 => repeated(rng, max_len),
            _ => self.seeds[rng.usize(..self.seeds.len())].clone(),
        };
        // Some stay whole.
        for _ in 0..rng.usize(..5) {
            let at = rng.usize(..=bytes.len());
            let end = rng.usize(at..=bytes.len());
            match rng.u8(..9) {
                0 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
                1 if at < bytes.len() => bytes[at] = rng.u8(..),
                2 => bytes.insert(at, rng.u8(..)),
                3 => drop(bytes.drain(at..end)),
                4 => bytes.truncate(at),
                5 => {
                    let copy = bytes[at..end].to_vec();
                    bytes.splice(at..at, copy);
                }
                6 => {
                    let token = TOKENS[rng.usize(..TOKENS.len())];
                    bytes.splice(at..at, token.iter().copied());
                }
                7 => {
                    let other = &self.seeds[rng.usize(..self.seeds.len())];
                    let from = rng.usize(..=other.len());
                    bytes.truncate(at);
                    bytes.extend(&other[from..]);
                }
                _ => bytes[at..end].reverse(),
            }
        }
        bytes.truncate(max_len);
        bytes
    }
}

/// One of a parser's tokens, again and again.
fn repeated(rng: &mut fastrand::Rng, max_len: usize) -> Vec<u8> {
    let token = TOKENS[rng.usize(..TOKENS.len())];
    let times = rng.usize(..=max_len / token.len());
    token.repeat(times)
}
