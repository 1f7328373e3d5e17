//! Fuzz targets. One binary holds them all, since its build takes minutes: `KEYWARD_FUZZ_TARGET` names
//! the one to run. With `KEYWARD_FUZZ_SEEDS` it writes each target's seeds below that directory, made of
//! the attack table, and ends.
//!
//! A target checks more than that nothing panics: each says what must hold.

#![no_main]

#[allow(dead_code)]
#[path = "../../attacks/case.rs"]
mod case;
#[allow(dead_code)]
#[path = "../../attacks/lab.rs"]
mod lab;
#[allow(dead_code)]
#[path = "../../attacks/table/mod.rs"]
mod table;

mod seeds;
mod service;
mod targets;

use std::path::Path;
use std::sync::OnceLock;

static TARGET: OnceLock<&targets::Target> = OnceLock::new();

fn begin() {
    if let Ok(directory) = std::env::var("KEYWARD_FUZZ_SEEDS") {
        seeds::write(Path::new(&directory));
        std::process::exit(0);
    }
    let name = std::env::var("KEYWARD_FUZZ_TARGET").unwrap_or_default();
    let target = targets::ALL.iter().find(|target| target.name == name);
    let target = target.unwrap_or_else(|| {
        let names: Vec<_> = targets::ALL.iter().map(|target| target.name).collect();
        panic!("KEYWARD_FUZZ_TARGET is one of {}", names.join(", "));
    });
    let _ = TARGET.set(target);
}

libfuzzer_sys::fuzz_target!(init: begin(), |input: &[u8]| {
    if let Some(target) = TARGET.get() {
        (target.run)(input);
    }
});
