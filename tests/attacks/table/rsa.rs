//! RSA signatures: PKCS #1 v1.5 (RFC 8017 §8.2.2), which has one encoding of a hash, and PSS
//! (§8.1.2) with a salt as long as the hash (RFC 7518 §3.5).

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512};
use keyward::Algorithm;
use num_bigint::BigUint;
use serde_json::json;

use crate::case::Case;
use crate::lab;

/// Of the lab's key, in bytes.
const LEN: usize = 256;

/// The DER of a DigestInfo up to the hash (RFC 8017 §9.2 note 1).
const SHA256_INFO: &[u8] = &[
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];
const SHA512_INFO: &[u8] = &[
    0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05,
    0x00, 0x04, 0x40,
];
const SHA1_INFO: &[u8] = &[
    0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14,
];
/// SHA-256 without the NULL parameters.
const SHA256_INFO_WITHOUT_NULL: &[u8] = &[
    0x30, 0x2f, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x04,
    0x20,
];

pub fn cases() -> Vec<Case> {
    let mut cases = one_for_the_other();
    cases.extend(lengths_and_numbers());
    cases.extend(pkcs1_blocks());
    cases.extend(pss_blocks());
    cases.extend(forgery_for_a_small_exponent());
    cases
}

/// Each algorithm's signature under each other's name.
fn one_for_the_other() -> Vec<Case> {
    let rsa = Algorithm::ALL.map(|algorithm| (algorithm, lab::Key::of(algorithm)));
    let rsa: Vec<_> = rsa
        .into_iter()
        .filter(|(_, key)| *key == lab::Key::Rsa)
        .map(|(algorithm, _)| algorithm)
        .collect();
    let mut cases = vec![];
    for named in &rsa {
        for signing in rsa.iter().filter(|signing| *signing != named) {
            let signature = lab::sign(*signing, lab::input(*named).as_bytes());
            cases.push(Case::new(
                format!("{named} in the header, a signature by {signing}"),
                lab::forged(*named, signature),
                "token_signature_invalid",
            ));
        }
    }
    cases
}

fn lengths_and_numbers() -> Vec<Case> {
    let mut cases = vec![];
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256] {
        let signature = lab::sign(algorithm, lab::input(algorithm).as_bytes());
        let (n, _) = lab::rsa_numbers();
        let value = |number: BigUint| lab::number(&number, LEN);
        for (name, signature) in [
            ("0", vec![0; LEN]),
            ("1", value(BigUint::from(1_u8))),
            ("n − 1", value(&n - 1_u8)),
            ("n", value(n.clone())),
            ("n + 1", value(&n + 1_u8)),
            ("all ones", vec![0xff; LEN]),
            ("one byte cut off its end", signature[..LEN - 1].to_vec()),
            ("one byte cut off its beginning", signature[1..].to_vec()),
            ("a zero behind it", [&*signature, &[0]].concat()),
            ("a zero before it", [&[0], &*signature].concat()),
            ("128 bytes", signature[..128].to_vec()),
            ("512 bytes", signature.repeat(2)),
            ("1024 bytes", signature.repeat(4)),
            ("1025 bytes", vec![1; 1025]),
            ("little-endian", signature.iter().rev().copied().collect()),
            (
                "another message's",
                lab::sign(algorithm, b"another message"),
            ),
        ] {
            cases.push(Case::new(
                format!("{algorithm} signature: {name}"),
                lab::forged(algorithm, signature),
                "token_signature_invalid",
            ));
        }
    }
    // A signature that begins with a zero byte is as long as all others (RFC 8017 §8.2.1).
    let (input, short) = (0..)
        .map(|n| {
            let claims = lab::with(lab::claims(), json!({ "n": n }));
            let input = format!(
                "{}.{}",
                lab::encode(lab::header(Algorithm::Rs256).to_string()),
                lab::encode(claims.to_string())
            );
            let signature = lab::sign(Algorithm::Rs256, input.as_bytes());
            (input, signature)
        })
        .find(|(_, signature)| signature[0] == 0)
        .unwrap();
    cases.push(Case::new(
        "RS256 signature that begins with a zero",
        format!("{input}.{}", lab::encode(&short)),
        "accepted",
    ));
    cases.push(Case::new(
        "RS256 signature that begins with a zero, without it",
        format!("{input}.{}", lab::encode(&short[1..])),
        "token_signature_invalid",
    ));
    // The same number modulo n, where there is room for it.
    let (n, _) = lab::rsa_numbers();
    let second = BigUint::from_bytes_be(&short) + n;
    cases.push(Case::new(
        "RS256 signature plus n",
        format!("{input}.{}", lab::encode(lab::number(&second, LEN))),
        "token_signature_invalid",
    ));
    cases
}

fn sha256_of_input(algorithm: Algorithm) -> Vec<u8> {
    lab::sha(&SHA256, &[lab::input(algorithm).as_bytes()])
}

/// 00, a type, padding, 00, and what is signed.
fn block(kind: u8, pad: u8, content: &[u8]) -> Vec<u8> {
    let padding = vec![pad; LEN - 3 - content.len()];
    [&[0, kind][..], &padding, &[0], content].concat()
}

/// Signed with the private key itself: what is wrong is the block.
fn pkcs1_blocks() -> Vec<Case> {
    let hash = sha256_of_input(Algorithm::Rs256);
    let message = lab::input(Algorithm::Rs256).into_bytes();
    let info = [SHA256_INFO, &hash].concat();
    let good = block(1, 0xff, &info);
    let garbage_behind = |padding: usize| {
        let mut block = vec![0, 1];
        block.extend(vec![0xff; padding]);
        block.push(0);
        block.extend(&info);
        block.resize(LEN, 0xaa);
        block
    };
    let altered = |at: usize, byte: u8| {
        let mut block = good.clone();
        block[at] = byte;
        block
    };
    let sha1 = lab::sha(&SHA1_FOR_LEGACY_USE_ONLY, &[&message]);
    let sha512 = lab::sha(&SHA512, &[&message]);
    let long_form = [&[0x30, 0x81, 0x31][..], &SHA256_INFO[2..], &hash].concat();
    let mut cases = vec![Case::new(
        "RS256 block made by hand",
        lab::forged(Algorithm::Rs256, lab::rsa_raw(&good)),
        "accepted",
    )];
    for (name, block) in [
        ("type 0", block(0, 0, &info)),
        ("type 2", block(2, 0xa5, &info)),
        ("a first byte of 1", altered(0, 1)),
        ("a padding byte of fe", altered(100, 0xfe)),
        ("a zero in the padding", altered(100, 0)),
        ("no padding, garbage behind the hash", garbage_behind(0)),
        (
            "eight bytes of padding, garbage behind the hash",
            garbage_behind(8),
        ),
        ("the bare hash", block(1, 0xff, &hash)),
        ("the message itself", block(1, 0xff, &message[..100])),
        ("SHA-1", block(1, 0xff, &[SHA1_INFO, &sha1].concat())),
        ("SHA-512", block(1, 0xff, &[SHA512_INFO, &sha512].concat())),
        (
            "SHA-512's name on SHA-256",
            block(1, 0xff, &[SHA512_INFO, &hash, &[0; 32]].concat()),
        ),
        (
            "no NULL",
            block(1, 0xff, &[SHA256_INFO_WITHOUT_NULL, &hash].concat()),
        ),
        ("a length in its long form", block(1, 0xff, &long_form)),
        (
            "a byte behind the hash",
            block(1, 0xff, &[&*info, &[0]].concat()),
        ),
        (
            "a byte missing of the hash",
            block(1, 0xff, &info[..info.len() - 1]),
        ),
        (
            "the hash in hexadecimal",
            block(1, 0xff, &[SHA256_INFO, &hex(&hash)[..]].concat()),
        ),
        (
            "the hash of another message",
            block(1, 0xff, &[SHA256_INFO, &[7; 32]].concat()),
        ),
    ] {
        cases.push(Case::new(
            format!("RS256 block: {name}"),
            lab::forged(Algorithm::Rs256, lab::rsa_raw(&block)),
            "token_signature_invalid",
        ));
    }
    cases
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text.into_bytes()
}

/// What of a PSS encoding (RFC 8017 §9.1.1) is to be wrong.
struct Pss {
    hash: &'static digest::Algorithm,
    mask_hash: &'static digest::Algorithm,
    salt_len: usize,
    trailer: u8,
    separator: u8,
    pad: u8,
    clears_top_bit: bool,
}

impl Pss {
    fn new(hash: &'static digest::Algorithm) -> Self {
        Self {
            hash,
            mask_hash: hash,
            salt_len: hash.output_len,
            trailer: 0xbc,
            separator: 1,
            pad: 0,
            clears_top_bit: true,
        }
    }

    fn block(&self, message: &[u8]) -> Vec<u8> {
        let salt: Vec<u8> = (0..self.salt_len).map(|at| at as u8).collect();
        let hash = lab::sha(self.hash, &[message]);
        let salted = lab::sha(self.hash, &[&[0; 8], &hash, &salt]);
        let db_len = LEN - salted.len() - 1;
        let mut db = vec![self.pad; db_len - salt.len() - 1];
        db.push(self.separator);
        db.extend(&salt);
        let mask = mgf1(self.mask_hash, &salted, db_len);
        for (byte, mask) in db.iter_mut().zip(mask) {
            *byte ^= mask;
        }
        match self.clears_top_bit {
            true => db[0] &= 0x7f,
            false => db[0] |= 0x80,
        }
        [&*db, &salted, &[self.trailer]].concat()
    }
}

/// RFC 8017 §B.2.1.
fn mgf1(hash: &'static digest::Algorithm, seed: &[u8], len: usize) -> Vec<u8> {
    let blocks = (0_u32..).map(|counter| lab::sha(hash, &[seed, &counter.to_be_bytes()]));
    blocks.flatten().take(len).collect()
}

fn pss_blocks() -> Vec<Case> {
    let mut cases = vec![];
    for (algorithm, hash) in [
        (Algorithm::Ps256, &SHA256),
        (Algorithm::Ps384, &SHA384),
        (Algorithm::Ps512, &SHA512),
    ] {
        let token = |pss: &Pss| {
            let block = pss.block(lab::input(algorithm).as_bytes());
            lab::forged(algorithm, lab::rsa_raw(&block))
        };
        cases.push(Case::new(
            format!("{algorithm} block made by hand"),
            token(&Pss::new(hash)),
            "accepted",
        ));
        let len = hash.output_len;
        for salt_len in [0, 1, 8, 20, len - 1, len + 1, LEN - len - 2] {
            let pss = Pss {
                salt_len,
                ..Pss::new(hash)
            };
            cases.push(Case::new(
                format!("{algorithm} salt of {salt_len} bytes"),
                token(&pss),
                "token_signature_invalid",
            ));
        }
        let other = if len == 64 { &SHA256 } else { &SHA512 };
        for (name, pss) in [
            (
                "trailer cc",
                Pss {
                    trailer: 0xcc,
                    ..Pss::new(hash)
                },
            ),
            (
                "separator 0",
                Pss {
                    separator: 0,
                    ..Pss::new(hash)
                },
            ),
            (
                "separator 2",
                Pss {
                    separator: 2,
                    ..Pss::new(hash)
                },
            ),
            (
                "padding ff",
                Pss {
                    pad: 0xff,
                    ..Pss::new(hash)
                },
            ),
            (
                "mask with SHA-1",
                Pss {
                    mask_hash: &SHA1_FOR_LEGACY_USE_ONLY,
                    ..Pss::new(hash)
                },
            ),
            (
                "mask with another hash",
                Pss {
                    mask_hash: other,
                    ..Pss::new(hash)
                },
            ),
            (
                "another hash",
                Pss {
                    mask_hash: hash,
                    ..Pss::new(other)
                },
            ),
        ] {
            cases.push(Case::new(
                format!("{algorithm} block: {name}"),
                token(&pss),
                "token_signature_invalid",
            ));
        }
    }
    // With the top bit the number may be larger than n, and is then another one.
    let pss = Pss {
        clears_top_bit: false,
        ..Pss::new(&SHA256)
    };
    let block = pss.block(lab::input(Algorithm::Ps256).as_bytes());
    cases.push(Case::new(
        "PS256 block: top bit set",
        lab::forged(Algorithm::Ps256, lab::rsa_raw(&block)),
        "token_signature_invalid",
    ));
    cases
}

/// Bleichenbacher's forgery of 2006: for e = 3, a cube root is a signature for whoever looks at the
/// beginning of the block alone. The key is loaded, since its exponent is not unheard of.
fn forgery_for_a_small_exponent() -> Vec<Case> {
    let key = lab::with(lab::Key::Rsa.public_jwk(), json!({"e": "Aw", "kid": "rsa"}));
    let info = [SHA256_INFO, &sha256_of_input(Algorithm::Rs256)].concat();
    [0, 8]
        .map(|padding| {
            let mut block = vec![0, 1];
            block.extend(vec![0xff; padding]);
            block.push(0);
            block.extend(&info);
            let prefix = block.clone();
            block.resize(LEN, 0xff);
            // The root of the largest block that begins this way.
            let root = BigUint::from_bytes_be(&block).cbrt();
            let cube = lab::number(&root.pow(3), LEN);
            assert_eq!(cube[..prefix.len()], prefix, "the forgery is none");
            Case::new(
                format!("RS256 cube root for e = 3, with {padding} bytes of padding"),
                lab::forged(Algorithm::Rs256, lab::number(&root, LEN)),
                "token_signature_invalid",
            )
            .keys(lab::keys(std::slice::from_ref(&key)))
        })
        .into()
}
