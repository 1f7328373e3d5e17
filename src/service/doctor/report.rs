//! What was found: a line for each check, for people, and one JSON object, for programs.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;

/// How a check has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// Works, and may not for long, or not as it is meant.
    Warning,
    /// The cause of refusals.
    Wrong,
    /// Could not be asked, or nothing was to be asked.
    Skipped,
}

impl Status {
    const fn mark(self) -> &'static str {
        match self {
            Self::Ok => "✓",
            Self::Warning => "!",
            Self::Wrong => "✗",
            Self::Skipped => "-",
        }
    }

    /// The colour of the mark (ECMA-48 §8.3.117).
    const fn colour(self) -> &'static str {
        match self {
            Self::Ok => "\x1b[32m",
            Self::Warning => "\x1b[33m",
            Self::Wrong => "\x1b[31m",
            Self::Skipped => "\x1b[2m",
        }
    }
}

/// One check.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Check {
    pub(super) id: &'static str,
    pub(super) status: Status,
    /// The cause, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<Cow<'static, str>>,
    pub(super) summary: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) detail: Vec<String>,
    /// The one thing to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<String>,
}

impl Check {
    fn new(id: &'static str, status: Status, summary: impl Into<String>) -> Self {
        Self {
            id,
            status,
            code: None,
            summary: summary.into(),
            detail: Vec::new(),
            fix: None,
        }
    }

    pub(super) fn ok(id: &'static str, summary: impl Into<String>) -> Self {
        Self::new(id, Status::Ok, summary)
    }

    pub(super) fn warning(
        id: &'static str,
        code: impl Into<Cow<'static, str>>,
        summary: impl Into<String>,
    ) -> Self {
        Self::new(id, Status::Warning, summary).code(code)
    }

    pub(super) fn wrong(
        id: &'static str,
        code: impl Into<Cow<'static, str>>,
        summary: impl Into<String>,
    ) -> Self {
        Self::new(id, Status::Wrong, summary).code(code)
    }

    pub(super) fn skipped(id: &'static str, summary: impl Into<String>) -> Self {
        Self::new(id, Status::Skipped, summary)
    }

    pub(super) fn code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    pub(super) fn detail(mut self, line: impl Into<String>) -> Self {
        self.detail.push(line.into());
        self
    }

    pub(super) fn details(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.detail.extend(lines);
        self
    }

    pub(super) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Whether it is about the token and not about the set-up.
    fn is_about_token(&self) -> bool {
        self.id.starts_with("token.")
    }
}

/// All that was found, in the order of the checks.
#[derive(Default)]
pub(super) struct Report {
    checks: Vec<Check>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'r> {
    ok: bool,
    exit_code: i32,
    version: &'static str,
    checks: &'r [Check],
}

impl Report {
    pub(super) fn add(&mut self, checks: impl IntoIterator<Item = Check>) {
        self.checks.extend(checks);
    }

    fn wrong(&self) -> impl Iterator<Item = &Check> {
        let wrong = |check: &&Check| check.status == Status::Wrong;
        self.checks.iter().filter(wrong)
    }

    /// What the process ends with; see the module's documentation.
    pub(super) fn exit_code(&self) -> i32 {
        let any = |about: fn(&Check) -> bool| self.wrong().any(about);
        if any(|check| check.id == super::CONFIGURATION) {
            2
        } else if any(|check| !check.is_about_token()) {
            1
        } else if any(Check::is_about_token) {
            3
        } else {
            0
        }
    }

    pub(super) fn to_json(&self) -> String {
        let exit_code = self.exit_code();
        let document = Document {
            ok: exit_code == 0,
            exit_code,
            version: env!("CARGO_PKG_VERSION"),
            checks: &self.checks,
        };
        // Strings and numbers under names: there is nothing that could fail.
        let mut json = serde_json::to_string_pretty(&document).unwrap_or_default();
        json.push('\n');
        json
    }

    pub(super) fn to_text(&self, colour: bool) -> String {
        let width = self.checks.iter().map(|check| check.id.len()).max();
        let width = width.unwrap_or_default();
        // Below the summary.
        let indent = " ".repeat(width + 4);
        let (bold, end) = if colour {
            ("\x1b[1m", "\x1b[0m")
        } else {
            ("", "")
        };
        let mut text = String::new();
        for check in &self.checks {
            let mark = check.status.mark();
            let mark = match colour {
                true => format!("{}{mark}{end}", check.status.colour()),
                false => mark.to_owned(),
            };
            // Writing into a string does not fail.
            let _ = writeln!(text, "{mark} {:width$}  {}", check.id, check.summary);
            for line in &check.detail {
                let _ = writeln!(text, "{indent}  {line}");
            }
            if let Some(fix) = &check.fix {
                let _ = writeln!(text, "{indent}{bold}→ {fix}{end}");
            }
        }
        let wrong = self.wrong().count();
        let warnings = |check: &&Check| check.status == Status::Warning;
        let warnings = self.checks.iter().filter(warnings).count();
        let verdict = match (wrong, warnings) {
            (0, 0) => "Nothing is wrong.".to_owned(),
            (0, _) => format!("Nothing is wrong; warnings: {warnings}."),
            (_, 0) => format!("Wrong: {wrong}."),
            _ => format!("Wrong: {wrong}; warnings: {warnings}."),
        };
        let _ = writeln!(text, "\n{verdict}");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(checks: impl IntoIterator<Item = Check>) -> Report {
        let mut report = Report::default();
        report.add(checks);
        report
    }

    #[test]
    fn the_exit_code_tells_the_set_up_from_the_token() {
        let wrong = |id| Check::wrong(id, "c", "s");
        for (checks, code) in [
            (vec![], 0),
            (vec![Check::ok("key_set.found", "s")], 0),
            (vec![Check::warning("key_set.keys", "c", "s")], 0),
            (vec![Check::skipped("token.input", "s")], 0),
            (vec![wrong("token.times")], 3),
            (vec![wrong("token.times"), wrong("key_set.keys")], 1),
            (vec![wrong("configuration"), wrong("token.input")], 2),
        ] {
            let report = report(checks);
            assert_eq!(report.exit_code(), code);
            let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
            assert_eq!(json["ok"], code == 0);
            assert_eq!(json["exitCode"], code);
        }
    }

    #[test]
    fn lines_are_aligned_and_coloured_on_demand_only() {
        let report = report([
            Check::ok("a", "fine"),
            Check::wrong("long.name", "c", "bad")
                .detail("why")
                .fix("do this"),
        ]);
        assert_eq!(
            report.to_text(false),
            "✓ a          fine\n✗ long.name  bad\n               why\n             → do this\n\nWrong: 1.\n"
        );
        assert!(report.to_text(true).contains("\x1b[31m✗\x1b[0m long.name"));
    }
}
