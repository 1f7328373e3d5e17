//! All that was recorded, as the tables of the README: `target/keyward-bench/table.md`.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::contenders::ALGORITHMS;

/// What was recorded, by its id.
struct Results(HashMap<String, Value>);

/// Prints the tables of everything that was measured last, by whichever bench.
pub fn print() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/keyward-bench");
    let files = fs::read_dir(&folder).expect("the results");
    let lines = files
        .filter_map(|file| Some(file.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .filter_map(|path| fs::read_to_string(path).ok());
    let results = lines.flat_map(|text| {
        let values = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        values.collect::<Vec<_>>()
    });
    let results = results.map(|value| (value["id"].as_str().unwrap_or_default().to_owned(), value));
    let tables = Results(results.collect()).tables();
    println!("\n{tables}");
    fs::write(folder.join("table.md"), tables).expect("the table is written");
}

impl Results {
    fn number(&self, id: &str, member: &str) -> Option<f64> {
        self.0.get(id)?[member].as_f64()
    }

    fn time(&self, id: &str) -> String {
        match self.number(id, "ns") {
            Some(ns) if ns < 1_000.0 => format!("{ns:.0} ns"),
            Some(ns) if ns < 100_000.0 => format!("{:.1} µs", ns / 1_000.0),
            Some(ns) => format!("{:.0} µs", ns / 1_000.0),
            None => "–".to_owned(),
        }
    }

    fn ratio(&self, id: &str) -> String {
        match self.number(id, "ratio") {
            Some(ratio) if ratio < 0.1 => format!("{ratio:.4} ×"),
            Some(ratio) => format!("{ratio:.2} ×"),
            None => "–".to_owned(),
        }
    }

    fn count(&self, id: &str) -> String {
        self.number(id, "count")
            .map_or("–".to_owned(), |count| format!("{count:.0}"))
    }

    fn tables(&self) -> String {
        let mut text = String::new();
        self.algorithms(&mut text)
            .expect("a string takes everything");
        self.others(&mut text).expect("a string takes everything");
        text
    }

    fn algorithms(&self, text: &mut String) -> std::fmt::Result {
        let names = ALGORITHMS.map(|algorithm| algorithm.name());
        writeln!(
            text,
            "| a verification | {} | allocations |",
            names.join(" | ")
        )?;
        writeln!(text, "| --- |{} --- |", " --- |".repeat(names.len()))?;
        for (label, id, allocations) in [
            (
                "bare signature check (aws-lc-rs, key prepared)",
                "raw signature",
                "0".to_owned(),
            ),
            ("**Keyward**", "keyward", self.count("allocations/keyward")),
            (
                "jsonwebtoken `decode`",
                "jsonwebtoken",
                self.count("allocations/jsonwebtoken"),
            ),
            (
                "**Keyward**, token seen before",
                "keyward, cached",
                self.count("allocations/keyward, cached"),
            ),
        ] {
            let cells = names.map(|name| {
                let id = format!("{name}/{id}");
                match id.ends_with("raw signature") {
                    true => self.time(&id),
                    false => self.ratio(&id),
                }
            });
            writeln!(text, "| {label} | {} | {allocations} |", cells.join(" | "))?;
        }
        writeln!(text)
    }

    fn others(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "| | time | ratio | to |")?;
        writeln!(text, "| --- | --- | --- | --- |")?;
        let signature = "the bare EdDSA check";
        for (label, id, to) in [
            ("token of 0.6 KiB", "token size/0.6 KiB, keyward", signature),
            ("token of 2 KiB", "token size/2 KiB, keyward", signature),
            ("token of 8 KiB", "token size/8 KiB, keyward", signature),
            (
                "seen before, 0.6 KiB",
                "token size/0.6 KiB, keyward, cached",
                signature,
            ),
            (
                "seen before, 8 KiB",
                "token size/8 KiB, keyward, cached",
                signature,
            ),
            (
                "seen before, keys fetched from a URL",
                "remote keys/keyward, cached",
                signature,
            ),
            ("refused: garbage", "refusal/garbage", signature),
            ("refused: too large", "refusal/oversized", signature),
            ("refused: expired", "refusal/expired", signature),
            (
                "refused: unknown key, set just fetched",
                "remote keys/unknown kid",
                signature,
            ),
            ("refused: bad signature", "refusal/bad signature", signature),
            (
                "one key of 1000 (ES256)",
                "key set size/1000 keys",
                "one key of 1",
            ),
            (
                "Tower layer around an empty handler",
                "tower/accepted",
                "the handler alone",
            ),
            (
                "Poem middleware around an empty endpoint",
                "poem/accepted",
                "the endpoint alone",
            ),
            (
                "seen before, logging at `info`",
                "tracing/logging only",
                "no subscriber",
            ),
            (
                "seen before, traces exported, this one not sampled",
                "tracing/sampled out",
                "no subscriber",
            ),
            ("seen before, sampled", "tracing/sampled", "no subscriber"),
            (
                "seen before, sampled and exported in batches",
                "tracing/exported",
                "no subscriber",
            ),
            (
                "seen before, measured",
                "metrics/seen before",
                "not measured",
            ),
            (
                "verified anew, measured",
                "metrics/verified anew",
                "not measured",
            ),
            (
                "two threads, seen before, 10,000 tokens",
                "threads/cached",
                "one thread",
            ),
            (
                "two threads, each verified anew",
                "threads/uncached",
                "one thread",
            ),
        ] {
            writeln!(
                text,
                "| {label} | {} | {} | {to} |",
                self.time(id),
                self.ratio(id)
            )?;
        }
        writeln!(text)?;
        writeln!(
            text,
            "| processor time of the server for a request | | ratio |"
        )?;
        writeln!(text, "| --- | --- | --- |")?;
        for (label, id) in [
            (
                "Poem, the same JSON without authentication",
                "poem without authentication",
            ),
            ("`/api/me`, one token", "me, one token"),
            ("`/api/me`, 1000 tokens in turn", "me, 1000 tokens"),
            (
                "`/api/me`, one token, logging at `info`",
                "me, one token, logging",
            ),
            (
                "`/api/me`, one token, traces exported, none sampled",
                "me, one token, not sampled",
            ),
            (
                "`/api/me`, one token, every request traced and measured",
                "me, one token, traced and measured",
            ),
            ("`/healthz`", "healthz"),
            ("`/api/me`, no token", "me, no token"),
            ("`/api/me`, bad signature", "me, bad signature"),
            ("`/api/tasks?limit=20` (SQLite)", "tasks, 20 of 100"),
        ] {
            let id = format!("http/{id}");
            writeln!(
                text,
                "| {label} | {} | {} |",
                self.time(&id),
                self.ratio(&id)
            )?;
        }
        writeln!(text)?;
        writeln!(
            text,
            "A remembered token of 0.6 KiB takes {} bytes of resident memory. After a million distinct \
             tokens a cache of {} bytes at most counts {} tokens and {} bytes; the process has grown by {}.",
            self.count("memory a token, resident"),
            self.count("flood/max bytes"),
            self.count("flood/entries"),
            self.count("flood/counted bytes"),
            self.count("flood/resident bytes"),
        )
    }
}
