//! Model files that were made to harm, each with a name that says how, and sound ones beside them.
//! For the tests of whoever loads model files: none of these may be loaded, and none may break
//! anything.

mod chance;
mod draft;
mod headers;
mod others;

pub use chance::Chance;
pub use draft::Draft;

/// A file that was made to harm.
#[derive(Debug, Clone)]
pub struct Hostile {
    /// How it harms.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The whole set, the same every time: GGUF files with one thing wrong, cut ones, safetensors with
/// one thing wrong, and files of other kinds under a model's name.
pub fn files() -> Vec<Hostile> {
    let mut all = headers::wrong();
    all.extend(others::cut(&sound_gguf()));
    all.extend(others::safetensors());
    all.extend(others::kinds());
    all
}

/// A GGUF file of the smallest model that can be loaded: two layers, 260 tokens, arbitrary
/// numbers. It babbles.
pub fn sound_gguf() -> Vec<u8> {
    Draft::sound().bytes()
}

/// A safetensors file of two tensors.
pub fn sound_safetensors() -> Vec<u8> {
    others::sound_safetensors()
}
