//! What the benches share: tokens as a real Better Auth issues them, the same key in aws-lc-rs and
//! in jsonwebtoken, and a record of what was measured.

// Each bench uses a part of it.
#![allow(dead_code)]

pub mod contenders;
pub mod paired;
pub mod record;
pub mod table;
pub mod token;
