//! A GGUF file that can be spoiled before it is written.

/// A GGUF file in parts. Every part can be made wrong.
#[derive(Debug, Clone)]
pub struct Draft {
    /// `GGUF`.
    pub magic: [u8; 4],
    /// 3.
    pub version: u32,
    /// How many tensors it claims, if not as many as there are.
    pub claimed_tensors: Option<u64>,
    /// How many keys it claims, if not as many as there are.
    pub claimed_keys: Option<u64>,
    /// Keys and values.
    pub entries: Vec<Entry>,
    /// The table of tensors.
    pub tensors: Vec<Row>,
    /// What is behind the tables.
    pub data: Vec<u8>,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: Vec<u8>,
    /// The type's number.
    pub kind: u32,
    /// The value as it is written.
    pub value: Vec<u8>,
}

/// A row of the table of tensors.
#[derive(Debug, Clone)]
pub struct Row {
    /// The tensor's name.
    pub name: Vec<u8>,
    /// How many dimensions it claims, if not as many as there are.
    pub claimed_rank: Option<u32>,
    /// The dimensions; what lies next to each other first.
    pub dims: Vec<u64>,
    /// The type's number.
    pub kind: u32,
    /// From the beginning of the data.
    pub offset: u64,
}

/// Numbers of types of values.
pub(super) mod kinds {
    pub(in super::super) const U32: u32 = 4;
    pub(in super::super) const I32: u32 = 5;
    pub(in super::super) const F32: u32 = 6;
    pub(in super::super) const BOOL: u32 = 7;
    pub(in super::super) const TEXT: u32 = 8;
    pub(in super::super) const LIST: u32 = 9;
    pub(in super::super) const U64: u32 = 10;
}
use kinds::{F32, I32, LIST, TEXT, U32};

const WIDTH: u64 = 64;
const INNER: u64 = 128;
const BLOCKS: u64 = 2;

/// A text with its length before it.
pub(super) fn text(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [&(text.len() as u64).to_le_bytes(), text].concat()
}

/// A list of `count` items that are written already.
pub(super) fn list(kind: u32, count: u64, items: impl AsRef<[u8]>) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &count.to_le_bytes(), items.as_ref()].concat()
}

pub(super) fn texts<T: AsRef<[u8]>>(items: &[T]) -> Vec<u8> {
    let written: Vec<_> = items.iter().map(text).collect();
    list(TEXT, items.len() as u64, written.concat())
}

/// The characters that stand for bytes in a vocabulary of merges, then four tokens more.
pub(super) fn tokens() -> Vec<String> {
    let plain = |byte: &u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut tokens: Vec<String> = Vec::new();
    let mut moved = 256;
    for byte in 0..256_u32 {
        let character = if plain(&byte) {
            byte
        } else {
            moved += 1;
            moved - 1
        };
        tokens.extend(char::from_u32(character).map(String::from));
    }
    tokens.extend(["<|end|>", "<|start|>", "th", "the"].map(str::to_owned));
    tokens
}

impl Draft {
    /// A file with nothing wrong.
    pub fn sound() -> Self {
        let mut draft = Self {
            magic: *b"GGUF",
            version: 3,
            claimed_tensors: None,
            claimed_keys: None,
            entries: Vec::new(),
            tensors: Vec::new(),
            data: Vec::new(),
        };
        draft.set("general.architecture", TEXT, text("llama"));
        draft.set("general.name", TEXT, text("Tiny"));
        for (key, number) in [
            ("general.alignment", 32),
            ("general.file_type", 0),
            ("llama.block_count", 2),
            ("llama.context_length", 128),
            ("llama.embedding_length", 64),
            ("llama.feed_forward_length", 128),
            ("llama.attention.head_count", 2),
            ("llama.attention.head_count_kv", 1),
            ("llama.rope.dimension_count", 32),
            ("llama.vocab_size", 260),
            ("tokenizer.ggml.bos_token_id", 257),
            ("tokenizer.ggml.eos_token_id", 256),
            ("tokenizer.ggml.unknown_token_id", 256),
        ] {
            draft.set_u32(key, number);
        }
        draft.set("llama.rope.freq_base", F32, 10_000_f32.to_le_bytes());
        draft.set("llama.attention.layer_norm_rms_epsilon", F32, 1e-5_f32.to_le_bytes());
        draft.set("tokenizer.ggml.model", TEXT, text("gpt2"));
        draft.set("tokenizer.ggml.pre", TEXT, text("smollm"));
        let tokens = tokens();
        draft.set("tokenizer.ggml.tokens", LIST, texts(&tokens));
        let special = |number: usize| if matches!(number, 256 | 257) { 3_i32 } else { 1 };
        let types: Vec<_> = (0..tokens.len()).flat_map(|n| special(n).to_le_bytes()).collect();
        draft.set("tokenizer.ggml.token_type", LIST, list(I32, tokens.len() as u64, types));
        draft.set("tokenizer.ggml.merges", LIST, texts(&["t h", "th e"]));
        let template = "{% for message in messages %}{{ message['content'] }}{% endfor %}";
        draft.set("tokenizer.chat_template", TEXT, text(template));
        draft.plain_tensors(tokens.len() as u64);
        draft
    }

    fn plain_tensors(&mut self, tokens: u64) {
        self.add("token_embd.weight", &[WIDTH, tokens]);
        for block in 0..BLOCKS {
            for (part, dims) in [
                ("attn_norm", &[WIDTH][..]),
                ("attn_q", &[WIDTH, WIDTH]),
                ("attn_k", &[WIDTH, WIDTH / 2]),
                ("attn_v", &[WIDTH, WIDTH / 2]),
                ("attn_output", &[WIDTH, WIDTH]),
                ("ffn_norm", &[WIDTH]),
                ("ffn_gate", &[WIDTH, INNER]),
                ("ffn_up", &[WIDTH, INNER]),
                ("ffn_down", &[INNER, WIDTH]),
            ] {
                self.add(&format!("blk.{block}.{part}.weight"), dims);
            }
        }
        self.add("output_norm.weight", &[WIDTH]);
    }

    /// Adds a tensor of plain 32-bit numbers between -0.1 and 0.1, with data.
    fn add(&mut self, name: &str, dims: &[u64]) {
        let offset = self.data.len() as u64;
        self.tensors.push(Row {
            name: name.into(),
            claimed_rank: None,
            dims: dims.to_vec(),
            kind: 0,
            offset,
        });
        let numbers: u64 = dims.iter().product();
        for number in offset..offset + numbers {
            let step = u16::try_from(number * 7919 % 2001).unwrap_or_default();
            self.data.extend(((f32::from(step) - 1000.0) / 10_000.0).to_le_bytes());
        }
    }

    /// Gives a key another value, or adds it.
    pub fn set(&mut self, key: &str, kind: u32, value: impl Into<Vec<u8>>) {
        let entry = Entry { key: key.into(), kind, value: value.into() };
        match self.entries.iter_mut().find(|entry| entry.key == key.as_bytes()) {
            Some(there) => *there = entry,
            None => self.entries.push(entry),
        }
    }

    /// Gives a key a number of 32 bits.
    pub fn set_u32(&mut self, key: &str, number: u32) {
        self.set(key, U32, number.to_le_bytes());
    }

    /// Takes a key away.
    pub fn remove(&mut self, key: &str) {
        self.entries.retain(|entry| entry.key != key.as_bytes());
    }

    /// The row of the tensor `name`, to be changed.
    pub fn change(&mut self, name: &str, how: impl FnOnce(&mut Row)) {
        if let Some(row) = self.tensors.iter_mut().find(|row| row.name == name.as_bytes()) {
            how(row);
        }
    }

    /// Everything before the tensors' data.
    pub fn header(&self) -> Vec<u8> {
        let mut bytes = Vec::from(self.magic);
        bytes.extend(self.version.to_le_bytes());
        bytes.extend(self.claimed_tensors.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        bytes.extend(self.claimed_keys.unwrap_or(self.entries.len() as u64).to_le_bytes());
        for Entry { key, kind, value } in &self.entries {
            bytes.extend(text(key));
            bytes.extend(kind.to_le_bytes());
            bytes.extend(value);
        }
        for row in &self.tensors {
            bytes.extend(text(&row.name));
            let rank = u32::try_from(row.dims.len()).unwrap_or_default();
            bytes.extend(row.claimed_rank.unwrap_or(rank).to_le_bytes());
            bytes.extend(row.dims.iter().flat_map(|dim| dim.to_le_bytes()));
            bytes.extend(row.kind.to_le_bytes());
            bytes.extend(row.offset.to_le_bytes());
        }
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        bytes
    }

    /// The whole file.
    pub fn bytes(&self) -> Vec<u8> {
        [self.header(), self.data.clone()].concat()
    }
}
