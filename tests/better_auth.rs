//! Tokens of a real Better Auth server, in front of the real binary.

#[path = "support/better_auth.rs"]
mod auth_server;
#[path = "support/keyward.rs"]
mod service;

#[path = "better_auth/oauth.rs"]
mod oauth;

mod better_auth {
    use std::time::{Duration, Instant};

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};
    use tokio::sync::watch;
    use tokio::task::JoinSet;

    use super::auth_server::BetterAuth;
    use super::service::{Keyward, client};

    /// A Better Auth server as configured, and a Keyward that knows nothing but its URL.
    async fn start(config: Value) -> (BetterAuth, Keyward) {
        let auth = BetterAuth::start(config).await;
        let keyward = Keyward::serve(&[("BETTER_AUTH_URL", auth.url())]).await;
        (auth, keyward)
    }

    /// The status and the body of `GET /api/me`.
    async fn me(keyward: &Keyward, token: &str) -> (u16, Value) {
        let request = client()
            .get(format!("{}/api/me", keyward.url))
            .bearer_auth(token);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The code with which a token is refused, or "accepted".
    async fn code(keyward: &Keyward, token: &str) -> String {
        match me(keyward, token).await {
            (200, _) => "accepted".to_owned(),
            (_, problem) => problem["code"].as_str().unwrap().to_owned(),
        }
    }

    async fn a_new_user_reaches_their_tasks(alg: Option<&str>) {
        let (auth, keyward) = start(alg.map_or(json!({}), |alg| json!({"alg": alg}))).await;
        let ada = auth.sign_up("Ada Lovelace", "ada@example.com").await;
        let token = auth.token(&ada).await;
        let header = URL_SAFE_NO_PAD
            .decode(token.split('.').next().unwrap())
            .unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header["alg"], alg.unwrap_or("EdDSA"));

        let (status, body) = me(&keyward, &token).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(
            (&body["email"], &body["name"]),
            (&json!("ada@example.com"), &json!("Ada Lovelace"))
        );

        let tasks = format!("{}/api/tasks", keyward.url);
        let create = client()
            .post(&tasks)
            .bearer_auth(&token)
            .json(&json!({"title": "Buy milk"}));
        assert_eq!(create.send().await.unwrap().status(), 201);
        let list = |token: &str| client().get(&tasks).bearer_auth(token).send();
        let hers: Value = list(&token).await.unwrap().json().await.unwrap();
        assert_eq!(hers["items"][0]["title"], "Buy milk");

        let eve = auth.sign_up("Eve", "eve@example.com").await;
        let others: Value = list(&auth.token(&eve).await)
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(others["items"], json!([]));
    }

    #[tokio::test]
    async fn eddsa_by_default() {
        a_new_user_reaches_their_tasks(None).await;
    }

    #[tokio::test]
    async fn es256() {
        a_new_user_reaches_their_tasks(Some("ES256")).await;
    }

    #[tokio::test]
    async fn es512() {
        a_new_user_reaches_their_tasks(Some("ES512")).await;
    }

    #[tokio::test]
    async fn ps256() {
        a_new_user_reaches_their_tasks(Some("PS256")).await;
    }

    #[tokio::test]
    async fn rs256() {
        a_new_user_reaches_their_tasks(Some("RS256")).await;
    }

    #[tokio::test]
    async fn a_key_rotated_while_the_service_runs() {
        let (auth, keyward) = start(json!({})).await;
        let ada = auth.sign_up("Ada", "ada@example.com").await;
        let before = auth.token(&ada).await;
        assert_eq!(code(&keyward, &before).await, "accepted");

        auth.rotate().await;
        // Two tokens of one second are one token; another key makes another.
        let after = auth.token(&ada).await;
        assert_ne!(
            before.split('.').next(),
            after.split('.').next(),
            "the same key signed"
        );
        assert_eq!(code(&keyward, &after).await, "accepted");
        assert_eq!(
            code(&keyward, &before).await,
            "accepted",
            "the old key is still published"
        );
    }

    #[tokio::test]
    async fn a_key_withdrawn_while_the_service_runs() {
        let (auth, keyward) = start(json!({})).await;
        let ada = auth.sign_up("Ada", "ada@example.com").await;
        let before = auth.token(&ada).await;
        assert_eq!(code(&keyward, &before).await, "accepted");
        auth.drop_keys().await;
        let after = auth.token(&ada).await;
        assert_eq!(code(&keyward, &after).await, "accepted");
        assert_eq!(code(&keyward, &before).await, "key_unknown");
    }

    /// Requests without a pause, by several clients, with the tokens that there are.
    struct Load {
        tokens: watch::Sender<Tokens>,
        clients: JoinSet<usize>,
    }

    #[derive(Clone, Default)]
    struct Tokens {
        /// Their key is published: they must be accepted.
        valid: Vec<String>,
        /// It no longer is: they may be, until that is noticed.
        withdrawn: Vec<String>,
    }

    impl Load {
        fn start(keyward: &Keyward, first: String) -> Self {
            let (tokens, seen) = watch::channel(Tokens::default());
            let load = Self {
                clients: (0..4)
                    .map(|_| send_requests(format!("{}/api/me", keyward.url), seen.clone()))
                    .collect(),
                tokens,
            };
            load.add(first);
            load
        }

        fn add(&self, token: String) {
            self.tokens.send_modify(|tokens| tokens.valid.push(token));
        }

        fn withdraw_all(&self) {
            self.tokens.send_modify(|tokens| {
                let withdrawn = std::mem::take(&mut tokens.valid);
                tokens.withdrawn.extend(withdrawn);
            });
        }

        /// How many requests were answered.
        async fn ends(self) -> usize {
            drop(self.tokens);
            self.clients.join_all().await.iter().sum()
        }
    }

    async fn send_requests(url: String, seen: watch::Receiver<Tokens>) -> usize {
        let client = client();
        let mut answered = 0;
        while seen.has_changed().is_ok() {
            let tokens = seen.borrow().clone();
            // The newest of each first.
            let valid = tokens.valid.iter().rev().take(4);
            for token in valid.chain(tokens.withdrawn.last()) {
                let response = client.get(&url).bearer_auth(token).send().await.unwrap();
                answered += 1;
                let status = response.status();
                let body = response.text().await.unwrap();
                // It may have been withdrawn meanwhile.
                let allowed = match seen.borrow().valid.contains(token) {
                    true => "accepted",
                    false => r#""code":"key_unknown""#,
                };
                assert!(status == 200 || body.contains(allowed), "{status} {body}");
            }
        }
        answered
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn keys_rotated_every_second_under_load_fail_no_valid_request() {
        const ROTATIONS: u64 = 5;
        let (auth, keyward) = start(json!({})).await;
        let ada = auth.sign_up("Ada", "ada@example.com").await;
        let load = Load::start(&keyward, auth.token(&ada).await);
        let before = auth.jwks_requests().await;
        for _ in 0..ROTATIONS {
            tokio::time::sleep(Duration::from_secs(1)).await;
            auth.rotate().await;
            // Requests that find the old key expired at the same time make a key each.
            let (one, two) = tokio::join!(auth.token(&ada), auth.token(&ada));
            load.add(one);
            load.add(two);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let answered = load.ends().await;
        let fetches = auth.jwks_requests().await - before;
        println!("rotation every second: {answered} requests, {fetches} fetches, none failed");
        assert!(fetches <= 2 * ROTATIONS + 1, "{fetches} fetches");
        assert!(answered > 100, "{answered}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_key_withdrawn_under_load_fails_no_valid_request() {
        let (auth, keyward) = start(json!({})).await;
        let ada = auth.sign_up("Ada", "ada@example.com").await;
        let old = auth.token(&ada).await;
        let load = Load::start(&keyward, old.clone());
        tokio::time::sleep(Duration::from_secs(1)).await;
        load.withdraw_all();
        auth.drop_keys().await;
        load.add(auth.token(&ada).await);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let answered = load.ends().await;
        println!("a key withdrawn: {answered} requests, no valid one failed");
        assert_eq!(code(&keyward, &old).await, "key_unknown");
        assert!(answered > 100, "{answered}");
    }

    #[tokio::test]
    async fn the_usual_mistakes_are_told_apart() {
        let (auth, keyward) = start(json!({})).await;
        let ada = auth.sign_up("Ada", "ada@example.com").await;
        let good = auth.token(&ada).await;
        let (head, rest) = good.split_once('.').unwrap();
        let (payload, signature) = rest.split_once('.').unwrap();
        let mut claims: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        claims["sub"] = json!("somebody-else");
        let tampered = format!(
            "{head}.{}.{signature}",
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );

        for (token, expected) in [
            (good.clone(), "accepted"),
            (tampered, "token_signature_invalid"),
            (
                auth.sign(json!({"aud": "https://other.example"})).await,
                "token_audience_mismatch",
            ),
            (
                auth.sign(json!({"iss": "https://other.example"})).await,
                "token_issuer_mismatch",
            ),
            (
                auth.sign(json!({"iss": format!("{}/", auth.url())})).await,
                "token_issuer_mismatch",
            ),
            (auth.sign(json!({"exp": 3600})).await, "token_expired"),
            (
                auth.sign(json!({"exp": 1_795_460_000_000_u64})).await,
                "token_time_in_milliseconds",
            ),
            (
                auth.sign(json!({"exp": 9_795_460_000.75})).await,
                "accepted",
            ),
            (auth.sign(json!({"sub": null})).await, "token_claim_missing"),
            (
                auth.sign(json!({"image": "x".repeat(40_000)})).await,
                "token_too_large",
            ),
            (
                "koHxfvpE7L2pT78wzAph8z2dfJ9aw8L8".to_owned(),
                "session_token",
            ),
        ] {
            assert_eq!(code(&keyward, &token).await, expected);
        }
    }

    #[tokio::test]
    async fn a_server_set_up_for_another_audience_or_issuer() {
        for (config, expected) in [
            (
                json!({"audience": "https://other.example"}),
                "token_audience_mismatch",
            ),
            (
                json!({"issuer": "https://other.example"}),
                "token_issuer_mismatch",
            ),
            (json!({"expirationTime": 3600}), "token_expired"), // a number is a date: 1970
        ] {
            let (auth, keyward) = start(config).await;
            let ada = auth.sign_up("Ada", "ada@example.com").await;
            assert_eq!(code(&keyward, &auth.token(&ada).await).await, expected);
        }
        let auth = BetterAuth::start(json!({"audience": "https://api.example"})).await;
        let variables = [
            ("BETTER_AUTH_URL", auth.url()),
            ("JWT_AUDIENCE", "https://api.example"),
        ];
        let keyward = Keyward::serve(&variables).await;
        let ada = auth.sign_up("Ada", "ada@example.com").await;
        assert_eq!(code(&keyward, &auth.token(&ada).await).await, "accepted");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn two_hundred_first_requests_fetch_once_and_five_thousand_made_up_kids_at_most_twice() {
        let auth = BetterAuth::start(json!({})).await;
        let ada = auth.sign_up("Ada", "ada@example.com").await;
        let token = auth.token(&ada).await;
        let before = auth.jwks_requests().await;
        let keyward = Keyward::serve(&[("BETTER_AUTH_URL", auth.url())]).await;
        let url = format!("{}/api/me", keyward.url);
        let client = client();
        let get = |token: &str| {
            let request = client.get(&url).bearer_auth(token);
            tokio::spawn(async move { request.send().await.unwrap().status().as_u16() })
        };

        let first: Vec<_> = (0..200).map(|_| get(&token)).collect();
        for request in first {
            assert_eq!(request.await.unwrap(), 200);
        }
        assert_eq!(auth.jwks_requests().await - before, 1);

        let began = Instant::now();
        let rest = token.split_once('.').unwrap().1;
        for round in 0..100 {
            let flood: Vec<_> = (0..50)
                .map(|n| {
                    let header = json!({"alg": "EdDSA", "kid": format!("made-up-{round}-{n}")});
                    get(&format!(
                        "{}.{rest}",
                        URL_SAFE_NO_PAD.encode(header.to_string())
                    ))
                })
                .collect();
            assert_eq!(get(&token).await.unwrap(), 200);
            for request in flood {
                assert_eq!(request.await.unwrap(), 401);
            }
        }
        // One more for each cooldown that the flood happened to last.
        let cooldowns = began.elapsed().as_secs() / 10;
        let fetches = auth.jwks_requests().await - before;
        assert!(
            fetches <= 2 + cooldowns,
            "{fetches} fetches in {:?}",
            began.elapsed()
        );
    }

    #[tokio::test]
    async fn a_service_started_before_its_auth_server_recovers_by_itself() {
        let port = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let away = format!("http://127.0.0.1:{port}");
        let keyward = Keyward::serve(&[("BETTER_AUTH_URL", &away)]).await;
        let response = client()
            .get(format!("{}/api/me", keyward.url))
            .bearer_auth("a.b.c")
            .send();
        assert_eq!(
            response.await.unwrap().status(),
            401,
            "garbage needs no key to be refused"
        );
        let ready = client()
            .get(format!("{}/readyz", keyward.url))
            .send()
            .await
            .unwrap();
        assert_eq!(ready.status(), 503);

        let auth = BetterAuth::start(json!({"port": port})).await;
        let ada = auth.sign_up("Ada", "ada@example.com").await;
        let token = auth.token(&ada).await;
        let began = Instant::now();
        loop {
            let (status, body) = me(&keyward, &token).await;
            if status == 200 {
                break;
            }
            assert_eq!(
                (status, body["code"].as_str()),
                (503, Some("keys_unavailable")),
                "{body}"
            );
            assert!(
                began.elapsed() < Duration::from_secs(90),
                "does not recover"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
