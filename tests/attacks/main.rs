//! Tokens that somebody sends who should not get in, through the library, the Tower layer and the
//! service. The cases are rows in `table/`; `better_auth` has those that a real server makes.

mod better_auth;
mod case;
mod faces;
mod lab;
mod nothing_fetched;
mod peers;
mod table;

#[path = "../support/better_auth.rs"]
mod auth_server;

use std::collections::BTreeSet;
use std::time::Duration;

use faces::{Faces, Services};
use keyward::{Algorithm, Policy};

/// All failures at once: a change that breaks a rule breaks rows in groups, and the group says more
/// than its first row.
#[track_caller]
fn none_of(failures: Vec<String>) {
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn every_row_has_a_name_of_its_own() {
    let names: BTreeSet<_> = table::cases().map(|case| &case.name).collect();
    assert_eq!(names.len(), table::cases().count());
    assert!(names.len() > 1500, "{}", names.len());
}

/// Each row meets a verifier that has seen nothing, and one that remembers tokens and headers of its
/// key set and has tables for its Ed25519 key: what was verified before must make no difference.
#[tokio::test]
async fn through_the_library() {
    let warm = faces::verifier(faces::key_set(&lab::key_set()));
    for algorithm in Algorithm::ALL {
        for _ in 0..2 {
            let token = lab::token(algorithm);
            assert_eq!(faces::code(&warm, &token).await, "accepted");
        }
    }
    let mut failures = vec![];
    for (topic, cases) in &*table::TOPICS {
        for case in cases {
            let cold = faces::uncached(faces::key_set(&case.keys));
            let mut codes = vec![("cold", faces::code(&cold, &case.token).await)];
            codes.push(("again", faces::code(&cold, &case.token).await));
            if case.keys == lab::key_set() {
                codes.push(("warm", faces::code(&warm, &case.token).await));
                codes.push(("cached", faces::code(&warm, &case.token).await));
            }
            for (verifier, code) in codes {
                if code != case.expected {
                    failures.push(format!(
                        "{}: {code} and not {} ({verifier})",
                        case.name, case.expected
                    ));
                }
            }
        }
        println!("ran {} cases: attacks on the library, {topic}", cases.len());
    }
    none_of(failures);
}

/// The same rows where another issuer is trusted as well, and more lightly, whose key has the name of
/// the lab's. Nothing gets in by it. What differs is the reason for a token that does not say whose it
/// is: that comes first there.
#[tokio::test]
async fn through_the_library_beside_another_issuer() {
    const WHOSE: [&str; 5] = [
        "token_claim_invalid",
        "token_claim_missing",
        "token_issuer_mismatch",
        "token_malformed",
        "token_payload_invalid",
    ];
    let other = keyward::testing::TestIssuer::new("https://other.example.com");
    let mut jwk = other.key().public_jwk();
    jwk["kid"] = "ed25519".into();
    let others = lab::keys(&[jwk]);
    let mut failures = vec![];
    let (mut count, mut same) = (0, 0);
    for case in table::cases() {
        count += 1;
        let light = Policy::new([other.url()], [lab::ISSUER, other.url()]).unwrap();
        let both = faces::beside(
            faces::key_set(&case.keys),
            light.leeway(Duration::from_secs(300)),
            faces::key_set(&others),
        );
        for _ in 0..2 {
            let code = faces::code(&both, &case.token).await;
            same += usize::from(code == case.expected);
            let may_differ = case.expected != "accepted" && WHOSE.contains(&code);
            if code != case.expected && !may_differ {
                failures.push(format!("{}: {code} and not {}", case.name, case.expected));
            }
        }
    }
    println!("ran {count} cases: attacks beside another issuer");
    assert!(
        same > count,
        "most reasons are the same: {same} of {}",
        2 * count
    );
    none_of(failures);
}

/// Ed25519 keys that have proven many tokens get tables, and another implementation verifies.
#[tokio::test]
async fn through_the_tables_of_a_busy_ed25519_key() {
    let busy = faces::uncached(faces::key_set(&lab::key_set()));
    faces::keep_busy(&busy).await;
    let mut failures = vec![];
    let mut count = 0;
    for case in table::cases() {
        if case.keys == lab::key_set() {
            count += 1;
            let code = faces::code(&busy, &case.token).await;
            if code != case.expected {
                failures.push(format!("{}: {code} and not {}", case.name, case.expected));
            }
        }
    }
    println!("ran {count} cases: attacks on Ed25519 tables");
    none_of(failures);
}

#[tokio::test]
async fn through_the_tower_layer_and_the_service() {
    let services = Services::new().await;
    let mut failures = vec![];
    let mut count = 0;
    for case in table::cases() {
        let faces = services.of(&case.keys).await;
        let Faces {
            verifier,
            tower,
            service,
        } = &*faces;
        let headers = faces::bearer(&case.token);
        let Some(map) = faces::header_map(&headers) else {
            assert_eq!(case.over_http, "no such header", "{}", case.name);
            continue;
        };
        count += 1;
        let authenticated = match verifier.authenticate(&map).await {
            Ok(_) => "accepted".to_owned(),
            Err(rejection) => rejection.code().to_owned(),
        };
        let behind_the_layer = tower.call(map).await.code(&case.name);
        let in_service = service.call("", &headers).await.code(&case.name);
        for (face, code, expected) in [
            ("authenticate", authenticated, case.over_http),
            ("Tower", behind_the_layer, case.over_http),
            ("service", in_service, case.in_service),
        ] {
            if code != expected {
                failures.push(format!("{}: {code} and not {expected} ({face})", case.name));
            }
        }
    }
    println!("ran {count} cases: attacks on the Tower layer");
    println!("ran {count} cases: attacks on the service");
    none_of(failures);
}

#[tokio::test]
async fn wherever_else_a_request_has_its_token() {
    let services = Services::new().await;
    let faces = services.of(&lab::key_set()).await;
    let Faces {
        verifier,
        tower,
        service,
    } = &*faces;
    let mut failures = vec![];
    let requests = table::transport::requests();
    for request in &requests {
        let map = faces::header_map(&request.headers).unwrap();
        let authenticated = match verifier.authenticate(&map).await {
            Ok(_) => "accepted".to_owned(),
            Err(rejection) => rejection.code().to_owned(),
        };
        let behind_the_layer = tower.call(map).await.code(request.name);
        let in_service = service.call(&request.query, &request.headers).await;
        for (face, code, expected) in [
            ("authenticate", authenticated, request.expected),
            ("Tower", behind_the_layer, request.expected),
            ("service", in_service.code(request.name), request.in_service),
        ] {
            if code != expected {
                failures.push(format!(
                    "{}: {code} and not {expected} ({face})",
                    request.name
                ));
            }
        }
    }
    println!(
        "ran {} cases: attacks on the Authorization header",
        requests.len()
    );
    none_of(failures);
}
