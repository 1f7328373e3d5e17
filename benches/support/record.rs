//! What was measured, one line a value, for the table: `target/keyward-bench/<bench>.jsonl`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use serde_json::json;

fn path() -> PathBuf {
    let name = std::env::args()
        .next()
        .and_then(|program| Some(PathBuf::from(program).file_stem()?.to_str()?.to_owned()))
        .unwrap_or_default();
    // Cargo appends a hash.
    let bench = name.rsplit_once('-').map_or(&*name, |(bench, _)| bench);
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/keyward-bench");
    folder.join(format!("{bench}.jsonl"))
}

/// Forgets what an earlier run of this bench has written.
pub fn begin() {
    let path = path();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).expect("a folder for the results");
    }
    let _ = fs::remove_file(path);
}

/// Writes one value. `ns`: what it took; `ratio`: to the bare signature check, or to whatever the
/// bench says.
pub fn write(id: &str, ns: f64, ratio: Option<f64>) {
    write_line(&json!({ "id": id, "ns": ns, "ratio": ratio }));
}

/// Writes a count.
pub fn write_count(id: &str, count: f64) {
    write_line(&json!({ "id": id, "count": count }));
}

fn write_line(line: &serde_json::Value) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path())
        .expect("a file for the results");
    writeln!(file, "{line}").expect("the results are written");
}
