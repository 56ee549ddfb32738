//! How large a state gets.

#[test]
fn placeholder() {}
