//! The groups of the document.

use poem_openapi::Tags;

/// A group of operations.
#[derive(Tags)]
pub enum Tag {
    /// The caller, as the token describes them.
    Account,
    /// The caller's tasks. Nobody sees another user's: to them it is missing.
    Tasks,
    /// Whether the service lives and can do its work.
    Health,
}
