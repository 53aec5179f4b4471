//! create-ai-platform
fn main() {}
