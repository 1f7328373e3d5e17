//! A function, in a test.

#[test]
fn uses_a_function() {
    std::hint::cold_path();
}
