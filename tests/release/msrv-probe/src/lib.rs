//! Uses what Rust 1.95 brought.

/// A method.
pub fn last_added(list: &mut Vec<u8>) -> u8 {
    *list.push_mut(1)
}
