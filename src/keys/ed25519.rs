//! Ed25519 (RFC 8032 §5.1) against tables made once for each key.
//!
//! A verification computes `[S]B − [k]A`. The base point `B` never changes and an issuer's key `A`
//! seldom does, so their multiples are worth keeping: with every multiple of 256ⁱ at hand, what is
//! left of two scalar multiplications is 64 additions and no doubling. Measured beside aws-lc-rs
//! on the signing input of a 0.6 KiB token this takes 0.54 of the time; 6-bit digits
//! (215 KiB) take 0.68. All inputs are public, so nothing here is constant-time.
//!
//! The verdict is that of aws-lc-rs on every input, which a differential test shows: `S` is below
//! the group order (§5.1.7 step 1; no malleability), the equation is the one without cofactor, `k`
//! is reduced before it multiplies a key that may have a component of small order, and `R` is
//! compared as bytes, so that only its canonical encoding passes.
//!
//! A table takes 640 KiB and one to two milliseconds, what about 60 verifications save. A
//! key therefore gets one on a thread of its own once it has proven [`USES_BEFORE_TABLES`] tokens,
//! and while there are fewer than [`MAX_TABLES`] in the process. Until then, and whenever a thread
//! cannot be had, aws-lc-rs verifies.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

use aws_lc_rs::digest::{self, SHA512};
use aws_lc_rs::signature::ParsedPublicKey;
use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;

/// Digits of a scalar in base 256. A scalar below the group order has 253 bits, so a carry out of
/// the last digit cannot happen.
const DIGITS: usize = 32;

/// Digits are signed, from −127 to 128: each needs half the multiples, since a point is negated
/// for nothing.
const MULTIPLES: usize = 128;

/// A key with fewer uses may never repay its table. Where none can be had, it is asked for again
/// after as many.
const USES_BEFORE_TABLES: u32 = 64;

/// With the one of the base point, 11 MiB. A key set may hold hundreds of keys; those in use are
/// one, or two around a rotation.
const MAX_TABLES: usize = 16;

static TABLES: AtomicUsize = AtomicUsize::new(0);

static BASE: LazyLock<Multiples> = LazyLock::new(|| Multiples::of(ED25519_BASEPOINT_POINT));

/// An Ed25519 public key: verified with aws-lc-rs at first, with tables once it is worth it.
pub(super) struct Ed25519Key {
    aws_lc: ParsedPublicKey,
    encoded: [u8; 32],
    uses: AtomicU32,
    /// Shared with the thread that fills it.
    tables: Arc<OnceLock<(KeyTables, Counted)>>,
}

impl Ed25519Key {
    /// `aws_lc` and `encoded` are the same key, in which aws-lc-rs found nothing wrong.
    pub(super) fn new(aws_lc: ParsedPublicKey, encoded: [u8; 32]) -> Self {
        Self {
            aws_lc,
            encoded,
            uses: AtomicU32::new(0),
            tables: Arc::default(),
        }
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        if let Some((tables, _)) = self.tables.get() {
            return tables.verify(message, signature);
        }
        let valid = self.aws_lc.verify_sig(message, signature).is_ok();
        // Only what the issuer signed counts as a use: made-up tokens buy no table.
        if valid
            && self.uses.fetch_add(1, Ordering::Relaxed) % USES_BEFORE_TABLES
                == USES_BEFORE_TABLES - 1
            && let Some(counted) = Counted::take()
        {
            self.prepare(counted);
        }
        valid
    }

    /// Makes the table on a thread of its own.
    fn prepare(&self, counted: Counted) {
        let (tables, encoded) = (self.tables.clone(), self.encoded);
        let prepare = move || {
            if let Some(made) = KeyTables::new(&encoded) {
                // If another thread was faster, its table is the same.
                let _ = tables.set((made, counted));
            }
        };
        // If no thread can be had now, one may be later.
        let _ = std::thread::Builder::new()
            .name("keyward-ed25519".to_owned())
            .spawn(prepare);
    }
}

/// The multiples of one key's negative.
struct KeyTables {
    encoded: [u8; 32],
    negative: Multiples,
}

impl KeyTables {
    /// `None` for what is no point.
    fn new(encoded: &[u8; 32]) -> Option<Self> {
        let point = CompressedEdwardsY(*encoded).decompress()?;
        LazyLock::force(&BASE);
        Some(Self {
            encoded: *encoded,
            negative: Multiples::of(-point),
        })
    }

    /// RFC 8032 §5.1.7.
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let Some((r, s)) = signature.split_first_chunk::<32>() else {
            return false;
        };
        let Ok(s) = <[u8; 32]>::try_from(s) else {
            return false;
        };
        let Some(s) = Option::<Scalar>::from(Scalar::from_canonical_bytes(s)) else {
            return false;
        };
        let mut hash = digest::Context::new(&SHA512);
        hash.update(r);
        hash.update(&self.encoded);
        hash.update(message);
        let Ok(k) = <[u8; 64]>::try_from(hash.finish().as_ref()) else {
            return false;
        };
        let k = Scalar::from_bytes_mod_order_wide(&k);
        let point = BASE.add_multiple(EdwardsPoint::identity(), &s);
        let point = self.negative.add_multiple(point, &k);
        point.compress().as_bytes() == r
    }
}

/// One of the tables that there may be.
struct Counted;

impl Counted {
    fn take() -> Option<Self> {
        TABLES
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tables| {
                (tables < MAX_TABLES).then_some(tables + 1)
            })
            .ok()
            .map(|_| Self)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        TABLES.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `j · 256ⁱ · P` for each digit `i` and `j` from 1 to 128.
struct Multiples(Box<[[EdwardsPoint; MULTIPLES]]>);

impl Multiples {
    fn of(point: EdwardsPoint) -> Self {
        let mut unit = point;
        let rows = (0..DIGITS)
            .map(|_| {
                let mut multiple = unit;
                let mut row = [unit; MULTIPLES];
                for slot in row.iter_mut().skip(1) {
                    multiple += unit;
                    *slot = multiple;
                }
                // The last one is 128 units.
                unit = multiple + multiple;
                row
            })
            .collect();
        Self(rows)
    }

    /// `sum + scalar · P`. The scalar is reduced.
    fn add_multiple(&self, mut sum: EdwardsPoint, scalar: &Scalar) -> EdwardsPoint {
        let mut carry = 0;
        for (row, byte) in self.0.iter().zip(scalar.as_bytes()) {
            let digit = usize::from(*byte) + carry;
            carry = usize::from(digit > MULTIPLES);
            // Digit 0 is no addition, and there is no multiple for it.
            if carry == 0 {
                if let Some(multiple) = digit.checked_sub(1).and_then(|at| row.get(at)) {
                    sum += multiple;
                }
            } else if let Some(multiple) = 255usize.checked_sub(digit).and_then(|at| row.get(at)) {
                sum -= multiple;
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::ED25519;
    use curve25519_dalek::constants::EIGHT_TORSION;

    use super::*;
    use crate::keys::key::is_small_order;

    /// The group order (RFC 8032 §5.1), least significant byte first.
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];

    /// Cases for each kind of input. `KEYWARD_DIFFERENTIAL_CASES=100000` makes millions in all.
    fn cases() -> usize {
        std::env::var("KEYWARD_DIFFERENTIAL_CASES")
            .map_or(200, |cases| cases.parse().expect("a number"))
    }

    /// The same key in both implementations.
    struct Both {
        encoded: [u8; 32],
        aws_lc: ParsedPublicKey,
        tables: KeyTables,
    }

    impl Both {
        fn new(point: EdwardsPoint) -> Self {
            let encoded = point.compress().0;
            Self {
                encoded,
                aws_lc: ParsedPublicKey::new(&ED25519, encoded).unwrap(),
                tables: KeyTables::new(&encoded).unwrap(),
            }
        }

        /// The verdict that both agree on.
        fn verdict(&self, message: &[u8], signature: &[u8]) -> bool {
            let verdict = self.aws_lc.verify_sig(message, signature).is_ok();
            assert_eq!(
                self.tables.verify(message, signature),
                verdict,
                "key {:02x?} message {message:02x?} signature {signature:02x?}",
                self.encoded
            );
            verdict
        }
    }

    fn rng(test: u64) -> fastrand::Rng {
        let seed = std::env::var("KEYWARD_DIFFERENTIAL_SEED")
            .map_or(0, |seed| seed.parse().expect("a number"));
        fastrand::Rng::with_seed(seed ^ test)
    }

    fn bytes<const N: usize>(rng: &mut fastrand::Rng) -> [u8; N] {
        let mut bytes = [0; N];
        rng.fill(&mut bytes);
        bytes
    }

    fn scalar(rng: &mut fastrand::Rng) -> Scalar {
        Scalar::from_bytes_mod_order_wide(&bytes(rng))
    }

    fn message(rng: &mut fastrand::Rng) -> Vec<u8> {
        let mut message = vec![0; rng.usize(..300)];
        rng.fill(&mut message);
        message
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    }

    fn joined(r: [u8; 32], s: [u8; 32]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&r);
        signature[32..].copy_from_slice(&s);
        signature
    }

    fn challenge(r: &[u8; 32], key: &[u8; 32], message: &[u8]) -> Scalar {
        let mut hash = digest::Context::new(&SHA512);
        hash.update(r);
        hash.update(key);
        hash.update(message);
        Scalar::from_bytes_mod_order_wide(hash.finish().as_ref().try_into().unwrap())
    }

    /// A signature whose `R`, and whose key, may have a component of small order.
    fn sign(
        secret: &Scalar,
        key: &[u8; 32],
        nonce: &Scalar,
        r_component: EdwardsPoint,
        message: &[u8],
    ) -> [u8; 64] {
        let r = (ED25519_BASEPOINT_POINT * nonce + r_component).compress().0;
        let s = nonce + challenge(&r, key, message) * secret;
        joined(r, s.to_bytes())
    }

    /// `bytes + ORDER`, modulo 2²⁵⁶.
    fn plus_order(bytes: [u8; 32]) -> [u8; 32] {
        let mut sum = bytes;
        let mut carry = 0;
        for (byte, order) in sum.iter_mut().zip(ORDER) {
            let digit = u16::from(*byte) + u16::from(order) + carry;
            *byte = digit as u8;
            carry = digit >> 8;
        }
        sum
    }

    /// Encodings of points with something odd about them: of small order, not canonical, off the
    /// curve, with a sign where there can be none.
    fn odd_encodings() -> Vec<[u8; 32]> {
        let mut encodings: Vec<[u8; 32]> = EIGHT_TORSION.map(|point| point.compress().0).to_vec();
        for low in 0xec..=0xff {
            let mut at_the_top = [0xff; 32];
            at_the_top[0] = low;
            at_the_top[31] = 0x7f;
            encodings.push(at_the_top);
        }
        for low in 0..=20 {
            let mut small = [0; 32];
            small[0] = low;
            encodings.push(small);
        }
        encodings.push(ED25519_BASEPOINT_POINT.compress().0);
        encodings.push(ORDER);
        let signed = encodings.clone().into_iter().map(|mut encoding| {
            encoding[31] ^= 0x80;
            encoding
        });
        encodings.extend(signed.collect::<Vec<_>>());
        encodings
    }

    #[test]
    fn multiples_are_those_of_a_scalar_multiplication() {
        let mut rng = rng(1);
        let point = ED25519_BASEPOINT_POINT * scalar(&mut rng) + EIGHT_TORSION[1];
        let multiples = Multiples::of(point);
        let mut scalars = vec![Scalar::ZERO, Scalar::ONE, -Scalar::ONE];
        for byte in [0x01, 0x7f, 0x80, 0x81, 0xfe, 0xff] {
            // Each digit at and around the point where it becomes a negative one with a carry.
            for at in 0..32 {
                let mut one = [0; 32];
                one[at] = byte;
                let mut rest = [byte; 32];
                rest[at] = 0x80;
                for mut bytes in [one, rest] {
                    bytes[31] &= 0x0f;
                    scalars.push(Scalar::from_canonical_bytes(bytes).unwrap());
                }
            }
        }
        scalars.extend((0..cases()).map(|_| scalar(&mut rng)));
        for scalar in scalars {
            let added = multiples.add_multiple(ED25519_BASEPOINT_POINT, &scalar);
            assert_eq!(added, ED25519_BASEPOINT_POINT + point * scalar);
        }
    }

    /// RFC 8032 §7.1, tests 1 to 3.
    #[test]
    fn vectors_of_rfc_8032() {
        for (key, message, signature) in [
            (
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
            (
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ),
        ] {
            let key = CompressedEdwardsY(hex(key).try_into().unwrap());
            let both = Both::new(key.decompress().unwrap());
            assert!(both.verdict(&hex(message), &hex(signature)));
            assert!(!both.verdict(b"another", &hex(signature)));
        }
    }

    /// Chalkias, Garillot, Nikolaenko, "Taming the many EdDSAs" (2020), table 6: message, key,
    /// signature, and the verdict; `None` for a key that a set does not load. Implementations give
    /// some ten different answers in all; these are those of OpenSSL, BoringSSL and Go.
    #[test]
    fn vectors_of_taming_the_many_eddsas() {
        const WEAK: &str = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa";
        const WEAK_ENCODING: &str =
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
        const MIXED: &str = "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43";
        const MIXED_TOO: &str = "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d";
        const PRIME: &str = "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623";
        for (at, (message, key, signature, verdict)) in [
            // Key and R of small order; S = 0.
            (
                "8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6",
                WEAK,
                "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a0000000000000000000000000000000000000000000000000000000000000000",
                None,
            ),
            // Key of small order.
            (
                "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
                WEAK,
                "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
                None,
            ),
            // R of small order.
            (
                "aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab",
                MIXED,
                "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e",
                Some(true),
            ),
            // Key and R of mixed order; both equations hold.
            (
                "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
                MIXED_TOO,
                "9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009",
                Some(true),
            ),
            // The one with cofactor alone.
            (
                "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
                MIXED_TOO,
                "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed5125ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09",
                Some(false),
            ),
            // The same, if eight times the challenge is reduced first.
            (
                "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
                MIXED_TOO,
                "21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405",
                Some(false),
            ),
            // S above the order.
            (
                "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
                PRIME,
                "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514",
                Some(false),
            ),
            // S far above the order.
            (
                "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
                PRIME,
                "8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa19427e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22",
                Some(false),
            ),
            // R no canonical encoding, and reduced for the hash.
            (
                "fdaebc429f4a735932a160da1301080c13280eea8bc280d1b392c6b9e6ba3a5a",
                MIXED,
                "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f454d370c8d9fc323a41450f8d513eafeb5b0697390c1e505a0d4ddc71f566607",
                Some(false),
            ),
            // R no canonical encoding, and hashed as it is.
            (
                "84b698d39be126ff55fe45079e6c8bf64a0d7db6994560b4e96b7021eb39c1a1",
                MIXED,
                "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f084d5b99c2a9463d9c8bd5026916996984eeec87ddf1d3be329006ace1b37b09",
                Some(false),
            ),
            // Key no canonical encoding, and reduced for the hash; then hashed as it is.
            (
                "e96b7021eb39c1a163b6da4e3093dcd3f21387da4cc4572be588fafae23c155b",
                WEAK_ENCODING,
                "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dca5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
                None,
            ),
            (
                "39a591f5321bbe07fd5a23dc2f39d025d74526615746727ceefd6e82ae65c06f",
                WEAK_ENCODING,
                "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dca5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
                None,
            ),
        ]
        .into_iter()
        .enumerate()
        {
            let encoded: [u8; 32] = hex(key).try_into().unwrap();
            assert_eq!(is_small_order(&encoded), verdict.is_none(), "{at}");
            if let Some(verdict) = verdict {
                let both = Both::new(CompressedEdwardsY(encoded).decompress().unwrap());
                assert_eq!(both.encoded, encoded, "{at}");
                assert_eq!(both.verdict(&hex(message), &hex(signature)), verdict, "{at}");
            }
        }
    }

    #[test]
    fn both_accept_what_was_signed_and_refuse_what_was_changed() {
        let mut rng = rng(2);
        for _ in 0..cases().div_ceil(100) {
            let secret = scalar(&mut rng);
            let both = Both::new(ED25519_BASEPOINT_POINT * secret);
            for _ in 0..100 {
                let message = message(&mut rng);
                let nonce = scalar(&mut rng);
                let identity = EdwardsPoint::identity();
                let signature = sign(&secret, &both.encoded, &nonce, identity, &message);
                assert!(both.verdict(&message, &signature));

                let mut flipped = signature;
                flipped[rng.usize(..64)] ^= 1 << rng.u8(..8);
                assert!(!both.verdict(&message, &flipped));
                // RFC 8032 §5.1.7: S is below the order, or a second spelling would pass.
                let (r, s) = signature.split_first_chunk().unwrap();
                let s: [u8; 32] = s.try_into().unwrap();
                assert!(!both.verdict(&message, &joined(*r, plus_order(s))));
                let mut longer = message.clone();
                longer.push(0);
                assert!(!both.verdict(&longer, &signature));
                assert!(!both.verdict(&message, &signature[..63]));
                assert!(!both.verdict(&message, &[&signature[..], &[0]].concat()));
            }
        }
    }

    #[test]
    fn both_refuse_noise() {
        let mut rng = rng(3);
        let both = Both::new(ED25519_BASEPOINT_POINT * scalar(&mut rng));
        for _ in 0..10 * cases() {
            let message = message(&mut rng);
            assert!(!both.verdict(&message, &bytes::<64>(&mut rng)));
            let below_the_order = joined(bytes(&mut rng), scalar(&mut rng).to_bytes());
            assert!(!both.verdict(&message, &below_the_order));
        }
    }

    /// Without a cofactor in the equation, components of small order must cancel out by
    /// themselves; implementations differ in nothing more than in this.
    #[test]
    fn both_give_the_same_verdict_on_components_of_small_order() {
        let mut rng = rng(4);
        let mut verdicts = [0, 0];
        for _ in 0..cases().div_ceil(100) {
            for key_component in EIGHT_TORSION {
                let secret = scalar(&mut rng);
                let both = Both::new(ED25519_BASEPOINT_POINT * secret + key_component);
                for r_component in EIGHT_TORSION {
                    for _ in 0..4 {
                        let message = message(&mut rng);
                        let nonce = scalar(&mut rng);
                        let signature = sign(&secret, &both.encoded, &nonce, r_component, &message);
                        verdicts[usize::from(both.verdict(&message, &signature))] += 1;
                    }
                }
            }
        }
        assert!(verdicts.iter().all(|count| *count > 0), "{verdicts:?}");
    }

    #[test]
    fn both_give_the_same_verdict_on_odd_points_and_scalars() {
        let mut rng = rng(5);
        let mut scalars: Vec<[u8; 32]> = vec![
            [0; 32],
            Scalar::ONE.to_bytes(),
            (-Scalar::ONE).to_bytes(),
            ORDER,
            plus_order(ORDER),
            [0xff; 32],
        ];
        for top in [0x0f, 0x10, 0x1f, 0x20, 0x40, 0x80, 0xe0] {
            let mut scalar = bytes::<32>(&mut rng);
            scalar[31] = top;
            scalars.push(scalar);
        }
        let mut keys: Vec<[u8; 32]> = odd_encodings();
        keys.extend((0..4).map(|_| (ED25519_BASEPOINT_POINT * scalar(&mut rng)).compress().0));
        for key in keys {
            // What a key set never loads: see `is_small_order`.
            let Some(point) = CompressedEdwardsY(key).decompress() else {
                continue;
            };
            if is_small_order(&key) {
                continue;
            }
            assert_eq!(point.compress().0, key, "not canonical, and yet loaded");
            let both = Both::new(point);
            for r in odd_encodings() {
                for s in &scalars {
                    both.verdict(b"message", &joined(r, *s));
                    both.verdict(&message(&mut rng), &joined(r, *s));
                }
            }
        }
    }

    #[test]
    fn a_key_gets_a_table_once_it_has_proven_enough() {
        let mut rng = rng(6);
        let secret = scalar(&mut rng);
        let encoded = (ED25519_BASEPOINT_POINT * secret).compress().0;
        let key = Ed25519Key::new(ParsedPublicKey::new(&ED25519, encoded).unwrap(), encoded);
        let identity = EdwardsPoint::identity();
        let signature = sign(&secret, &encoded, &scalar(&mut rng), identity, b"message");
        for _ in 0..10 * USES_BEFORE_TABLES {
            assert!(!key.verify(b"other", &signature));
        }
        assert!(key.tables.get().is_none());
        for _ in 0..USES_BEFORE_TABLES {
            assert!(key.tables.get().is_none() && key.verify(b"message", &signature));
        }
        let (tables, _) = key.tables.wait();
        assert!(tables.verify(b"message", &signature) && key.verify(b"message", &signature));
        assert!(!key.verify(b"other", &signature));
    }
}
