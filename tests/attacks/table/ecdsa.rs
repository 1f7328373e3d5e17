//! ECDSA signatures (RFC 7518 §3.4): r and s, each as long as the order of the curve, and in its
//! range (FIPS 186-5 §6.4.2).

use keyward::Algorithm;
use num_bigint::BigUint;

use crate::case::Case;
use crate::lab;

struct Curve {
    algorithm: Algorithm,
    /// Of r and of s, in bytes.
    len: usize,
    order: &'static str,
    prime: &'static str,
}

/// SEC 2 §2.4.2, §2.5.1, §2.6.1.
const CURVES: [Curve; 3] = [
    Curve {
        algorithm: Algorithm::Es256,
        len: 32,
        order: "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        prime: "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
    },
    Curve {
        algorithm: Algorithm::Es384,
        len: 48,
        order: "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
        prime: "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
    },
    Curve {
        algorithm: Algorithm::Es512,
        len: 66,
        order: "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
        prime: "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    },
];

pub fn cases() -> Vec<Case> {
    CURVES.iter().flat_map(of_curve).collect()
}

fn of_curve(curve: &Curve) -> Vec<Case> {
    let Curve { algorithm, len, .. } = *curve;
    let hex = |text: &str| BigUint::parse_bytes(text.as_bytes(), 16).unwrap();
    let (n, p) = (hex(curve.order), hex(curve.prime));
    let genuine = lab::sign(algorithm, lab::input(algorithm).as_bytes());
    let (r, s) = genuine.split_at(len);
    let (r, s) = (BigUint::from_bytes_be(r), BigUint::from_bytes_be(s));
    let (zero, one) = (BigUint::ZERO, BigUint::from(1_u8));
    let pair = |r: &BigUint, s: &BigUint| [lab::number(r, len), lab::number(s, len)].concat();

    let mut refused: Vec<(&str, Vec<u8>)> = vec![
        // CVE-2022-21449.
        ("r = 0, s = 0", pair(&zero, &zero)),
        ("r = 0", pair(&zero, &s)),
        ("s = 0", pair(&r, &zero)),
        ("r = 1, s = 1", pair(&one, &one)),
        ("r = n, s = n", pair(&n, &n)),
        ("r = n", pair(&n, &s)),
        ("s = n", pair(&r, &n)),
        ("r = n, s = 1", pair(&n, &one)),
        ("r = 1, s = n", pair(&one, &n)),
        ("r = n − 1, s = n − 1", pair(&(&n - &one), &(&n - &one))),
        ("r = n + 1", pair(&(&n + &one), &s)),
        ("r = p", pair(&p, &s)),
        ("r = p − n", pair(&(&p - &n), &s)),
        ("r = n − r", pair(&(&n - &r), &s)),
        ("all ones", vec![0xff; 2 * len]),
        ("r and s swapped", pair(&s, &r)),
        ("r twice", pair(&r, &r)),
        ("little-endian", genuine.iter().rev().copied().collect()),
        ("DER", der(&r, &s, 0)),
        ("DER with a needless zero", der(&r, &s, 1)),
        ("DER of r = 0, s = 0", der(&zero, &zero, 0)),
        ("one byte cut off its end", genuine[..2 * len - 1].to_vec()),
        ("one byte cut off its beginning", genuine[1..].to_vec()),
        ("r alone", genuine[..len].to_vec()),
        ("one byte", vec![genuine[0]]),
        ("a zero behind it", [&*genuine, &[0]].concat()),
        ("a zero before it", [&[0], &*genuine].concat()),
        (
            "a zero before each of r and s",
            [lab::number(&r, len + 1), lab::number(&s, len + 1)].concat(),
        ),
        ("itself once more behind it", genuine.repeat(2)),
        ("in hexadecimal", hex_text(&genuine).into_bytes()),
        ("in base64url", lab::encode(&genuine).into_bytes()),
        ("a point before it", [&[4], &*genuine].concat()),
        (
            "another message's",
            lab::sign(algorithm, b"another message"),
        ),
        (
            "the payload's alone",
            lab::sign(algorithm, lab::claims().to_string().as_bytes()),
        ),
    ];
    // RFC 7518 §3.4 wants the bytes of another curve's numbers refused for their length alone.
    for other in CURVES {
        if other.algorithm != algorithm {
            let name = match other.algorithm {
                Algorithm::Es256 => "as long as ES256's",
                Algorithm::Es384 => "as long as ES384's",
                _ => "as long as ES512's",
            };
            let fit = |number: &BigUint| {
                let bytes = lab::number(number, other.len);
                bytes[bytes.len() - other.len..].to_vec()
            };
            refused.push((name, [fit(&r), fit(&s)].concat()));
        }
    }
    // The numbers of P-521 have room for a multiple of the order.
    if (&r + &n).bits() <= 8 * len as u64 {
        refused.push(("r + n", pair(&(&r + &n), &s)));
    }
    if (&s + &n).bits() <= 8 * len as u64 {
        refused.push(("s + n", pair(&r, &(&s + &n))));
    }
    let mut cases: Vec<Case> = refused
        .into_iter()
        .map(|(name, signature)| {
            Case::new(
                format!("{algorithm} signature: {name}"),
                lab::forged(algorithm, signature),
                "token_signature_invalid",
            )
        })
        .collect();
    // ECDSA is malleable: (r, n − s) is good for whatever (r, s) is good for. No RFC on JOSE demands
    // the lower of the two, issuers write either, and whoever made this one of a token has the token:
    // a second spelling of it, so that a list of refused tokens must not go by their text.
    cases.push(Case::new(
        format!("{algorithm} signature: s = n − s"),
        lab::forged(algorithm, pair(&r, &(&n - &s))),
        "accepted",
    ));
    cases
}

/// SEC 1 §C.5, with so many zeros before each number.
fn der(r: &BigUint, s: &BigUint, zeros: usize) -> Vec<u8> {
    let integer = |number: &BigUint| {
        let mut bytes = number.to_bytes_be();
        if bytes[0] & 0x80 != 0 {
            bytes.insert(0, 0);
        }
        let bytes = [vec![0; zeros], bytes].concat();
        [vec![2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    };
    let body = [integer(r), integer(s)].concat();
    let len = u8::try_from(body.len()).unwrap();
    match len < 0x80 {
        true => [vec![0x30, len], body].concat(),
        false => [vec![0x30, 0x81, len], body].concat(),
    }
}

fn hex_text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
