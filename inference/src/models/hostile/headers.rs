//! GGUF files with one thing wrong.

use super::Hostile;
use super::draft::kinds::{BOOL, F32, I32, LIST, TEXT, U32, U64};
use super::draft::{Draft, Entry, list, text, texts, tokens};

type Spoil = fn(&mut Draft);

/// Each of them spoils a sound file.
pub(super) fn wrong() -> Vec<Hostile> {
    let all = [BEGINNING, VALUES, VOCABULARY, BUILD, TENSORS];
    let spoilt = |(name, spoil): &(&str, Spoil)| {
        let mut draft = Draft::sound();
        spoil(&mut draft);
        Hostile { name: format!("gguf, {name}"), bytes: draft.bytes() }
    };
    all.into_iter().flatten().map(spoilt).collect()
}

const BEGINNING: &[(&str, Spoil)] = &[
    ("magic of zeros", |d| d.magic = [0; 4]),
    ("magic in small letters", |d| d.magic = *b"gguf"),
    ("magic backwards", |d| d.magic = *b"FUGG"),
    ("version 0", |d| d.version = 0),
    ("version 1, with 32-bit counts", |d| d.version = 1),
    ("version 4", |d| d.version = 4),
    ("version of all ones", |d| d.version = u32::MAX),
    ("big endian", |d| d.version = 3_u32.swap_bytes()),
    ("2^64 - 1 tensors", |d| d.claimed_tensors = Some(u64::MAX)),
    ("2^32 tensors", |d| d.claimed_tensors = Some(1 << 32)),
    ("one tensor more than there is", |d| d.claimed_tensors = Some(d.tensors.len() as u64 + 1)),
    ("no tensors", |d| d.claimed_tensors = Some(0)),
    ("2^64 - 1 keys", |d| d.claimed_keys = Some(u64::MAX)),
    ("2^31 keys", |d| d.claimed_keys = Some(1 << 31)),
    ("one key more than there is", |d| d.claimed_keys = Some(d.entries.len() as u64 + 1)),
    ("one key less than there is", |d| d.claimed_keys = Some(d.entries.len() as u64 - 1)),
    ("no keys", |d| {
        d.entries.clear();
    }),
];

fn push(d: &mut Draft, key: impl Into<Vec<u8>>, kind: u32, value: impl Into<Vec<u8>>) {
    d.entries.push(Entry { key: key.into(), kind, value: value.into() });
}

const VALUES: &[(&str, Spoil)] = &[
    ("a key without letters", |d| push(d, "", U32, [0; 4])),
    ("a key of 300 letters", |d| push(d, vec![b'k'; 300], U32, [0; 4])),
    ("a key of control characters", |d| push(d, "a\x1b[2Jb", U32, [0; 4])),
    ("a key that is no UTF-8", |d| push(d, [0xff, 0xfe], U32, [0; 4])),
    ("a key twice", |d| push(d, "general.name", TEXT, text("Other"))),
    ("a type of value that is none", |d| push(d, "x", 13, [0; 8])),
    ("a type of value of all ones", |d| push(d, "x", u32::MAX, [0; 8])),
    ("a truth of 2", |d| push(d, "x", BOOL, [2])),
    ("a text of 2^64 - 1 bytes", |d| push(d, "x", TEXT, u64::MAX.to_le_bytes())),
    ("a text of 2^63 bytes", |d| push(d, "x", TEXT, (1_u64 << 63).to_le_bytes())),
    ("a text of 4 GiB", |d| push(d, "x", TEXT, (1_u64 << 32).to_le_bytes())),
    ("a text longer than the file", |d| push(d, "x", TEXT, 900_000_u64.to_le_bytes())),
    ("a text of 2 MiB that is there", |d| push(d, "x", TEXT, text(vec![b'x'; 2 << 20]))),
    ("a list of 2^64 - 1 numbers", |d| push(d, "x", LIST, list(U32, u64::MAX, [0; 64]))),
    ("a list of 2^61 numbers, 2^64 bytes", |d| push(d, "x", LIST, list(U64, 1 << 61, [0; 64]))),
    ("a list of 2^40 texts", |d| push(d, "x", LIST, list(TEXT, 1 << 40, [0; 64]))),
    ("a list of two million texts that are not there", |d| {
        push(d, "x", LIST, list(TEXT, 2_000_000, []));
    }),
    ("a list of a type that is none", |d| push(d, "x", LIST, list(77, 1, [0; 8]))),
    ("a list with a text of 2^62 bytes", |d| {
        push(d, "x", LIST, list(TEXT, 1, (1_u64 << 62).to_le_bytes()));
    }),
    ("lists in lists", |d| {
        let inner = list(LIST, 1, list(LIST, 1, list(U32, 1, [0; 4])));
        push(d, "x", LIST, list(LIST, 1, inner));
    }),
    ("100,000 lists in each other", |d| {
        push(d, "x", LIST, list(LIST, 1, []).repeat(100_000));
    }),
    ("a list that claims to hold itself", |d| {
        push(d, "x", LIST, list(LIST, u64::MAX, list(LIST, u64::MAX, [])));
    }),
    ("alignment 0", |d| d.set_u32("general.alignment", 0)),
    ("alignment 24", |d| d.set_u32("general.alignment", 24)),
    ("alignment 2^31", |d| d.set_u32("general.alignment", 1 << 31)),
    ("alignment in words", |d| d.set("general.alignment", TEXT, text("32"))),
    ("one part of nine", |d| d.set_u32("split.count", 9)),
];

const VOCABULARY: &[(&str, Spoil)] = &[
    ("no vocabulary", |d| d.remove("tokenizer.ggml.tokens")),
    ("an empty vocabulary", |d| d.set("tokenizer.ggml.tokens", LIST, list(TEXT, 0, []))),
    ("a vocabulary of numbers", |d| {
        d.set("tokenizer.ggml.tokens", LIST, list(U32, 260, [0; 1040]));
    }),
    ("a vocabulary that is a text", |d| d.set("tokenizer.ggml.tokens", TEXT, text("a b c"))),
    ("a token twice", |d| {
        let mut tokens = tokens();
        tokens.swap_remove(258);
        tokens.push("!".to_owned());
        d.set("tokenizer.ggml.tokens", LIST, texts(&tokens));
    }),
    ("a token twice behind a NUL", |d| {
        let mut tokens = tokens();
        tokens[259] = format!("{}\0x", tokens[3]);
        d.set("tokenizer.ggml.tokens", LIST, texts(&tokens));
    }),
    ("a token that is no UTF-8", |d| {
        let mut tokens: Vec<_> = tokens().into_iter().map(String::into_bytes).collect();
        tokens[259] = vec![0xc3, 0x28];
        d.set("tokenizer.ggml.tokens", LIST, texts(&tokens));
    }),
    ("a token of 100,000 letters", |d| {
        let mut tokens = tokens();
        tokens[259] = "x".repeat(100_000);
        d.set("tokenizer.ggml.tokens", LIST, texts(&tokens));
    }),
    ("more tokens than the model has rows", |d| {
        let mut tokens = tokens();
        tokens.push("more".to_owned());
        let types = list(I32, 261, 1_i32.to_le_bytes().repeat(261));
        d.set("tokenizer.ggml.token_type", LIST, types);
        d.set("tokenizer.ggml.tokens", LIST, texts(&tokens));
    }),
    ("fewer types than tokens", |d| {
        d.set("tokenizer.ggml.token_type", LIST, list(I32, 1, [1, 0, 0, 0]));
    }),
    ("more types than tokens", |d| {
        let types = list(I32, 300, 1_i32.to_le_bytes().repeat(300));
        d.set("tokenizer.ggml.token_type", LIST, types);
    }),
    ("types that are no types", |d| {
        let types = list(I32, 260, (-1_i32).to_le_bytes().repeat(260));
        d.set("tokenizer.ggml.token_type", LIST, types);
    }),
    ("types in words", |d| d.set("tokenizer.ggml.token_type", LIST, texts(&["one"; 260]))),
    ("fewer scores than tokens", |d| d.set("tokenizer.ggml.scores", LIST, list(F32, 1, [0; 4]))),
    ("scores that are no numbers", |d| {
        let scores = list(F32, 260, f32::NAN.to_le_bytes().repeat(260));
        d.set("tokenizer.ggml.scores", LIST, scores);
    }),
    ("a vocabulary of scores without scores", |d| {
        d.set("tokenizer.ggml.model", TEXT, text("llama"));
    }),
    ("a vocabulary of scores without bytes", |d| {
        d.set("tokenizer.ggml.model", TEXT, text("llama"));
        d.set("tokenizer.ggml.scores", LIST, list(F32, 260, [0; 1040]));
    }),
    ("a vocabulary of a kind that is none", |d| {
        d.set("tokenizer.ggml.model", TEXT, text("../../etc/passwd"));
    }),
    ("no kind of vocabulary", |d| d.remove("tokenizer.ggml.model")),
    ("no merges", |d| d.remove("tokenizer.ggml.merges")),
    ("a merge of one part", |d| d.set("tokenizer.ggml.merges", LIST, texts(&["the"]))),
    ("a merge of a space", |d| d.set("tokenizer.ggml.merges", LIST, texts(&[" "]))),
    ("an empty merge", |d| d.set("tokenizer.ggml.merges", LIST, texts(&[""]))),
    ("an end that is no token", |d| d.set_u32("tokenizer.ggml.eos_token_id", 260)),
    ("an end of all ones", |d| d.set_u32("tokenizer.ggml.eos_token_id", u32::MAX)),
    ("an end below 0", |d| {
        d.set("tokenizer.ggml.eos_token_id", I32, (-1_i32).to_le_bytes());
    }),
    ("an end in words", |d| d.set("tokenizer.ggml.eos_token_id", TEXT, text("256"))),
    ("no end", |d| d.remove("tokenizer.ggml.eos_token_id")),
    ("a beginning that is no token", |d| d.set_u32("tokenizer.ggml.bos_token_id", 1 << 30)),
    ("an unknown that is no token", |d| d.set_u32("tokenizer.ggml.unknown_token_id", 9999)),
    ("a template that is a number", |d| d.set_u32("tokenizer.chat_template", 7)),
];

const BUILD: &[(&str, Spoil)] = &[
    ("no architecture", |d| d.remove("general.architecture")),
    ("an architecture nobody knows", |d| {
        d.set("general.architecture", TEXT, text("ll\u{202e}ama\x1b]0;x\x07"));
    }),
    ("an architecture that is a number", |d| d.set_u32("general.architecture", 1)),
    ("an architecture of 100,000 letters", |d| {
        d.set("general.architecture", TEXT, text("l".repeat(100_000)));
    }),
    ("a context of 0", |d| d.set_u32("llama.context_length", 0)),
    ("a context of 2^32 - 1", |d| d.set_u32("llama.context_length", u32::MAX)),
    ("no context", |d| d.remove("llama.context_length")),
    ("no blocks", |d| d.set_u32("llama.block_count", 0)),
    ("2^32 - 1 blocks", |d| d.set_u32("llama.block_count", u32::MAX)),
    ("a block more than there is", |d| d.set_u32("llama.block_count", 3)),
    ("a block less than there is", |d| d.set_u32("llama.block_count", 1)),
    ("blocks below 0", |d| d.set("llama.block_count", I32, (-2_i32).to_le_bytes())),
    ("a width of 0", |d| d.set_u32("llama.embedding_length", 0)),
    ("another width", |d| d.set_u32("llama.embedding_length", 128)),
    ("a width of 2^64 - 1", |d| {
        d.set("llama.embedding_length", U64, u64::MAX.to_le_bytes());
    }),
    ("no heads", |d| d.set_u32("llama.attention.head_count", 0)),
    ("2^32 - 1 heads", |d| d.set_u32("llama.attention.head_count", u32::MAX)),
    ("heads that do not share the width", |d| d.set_u32("llama.attention.head_count", 3)),
    ("another number of heads", |d| d.set_u32("llama.attention.head_count_kv", 2)),
    ("no heads that are asked", |d| d.set_u32("llama.attention.head_count_kv", 0)),
    ("more heads asked than ask", |d| d.set_u32("llama.attention.head_count_kv", 4)),
    ("an odd turn", |d| d.set_u32("llama.rope.dimension_count", 31)),
    ("a turn wider than a head", |d| d.set_u32("llama.rope.dimension_count", 1 << 20)),
    ("a turn that is no number", |d| {
        d.set("llama.rope.freq_base", F32, f32::NAN.to_le_bytes());
    }),
    ("an endless turn", |d| {
        d.set("llama.rope.freq_base", F32, f32::INFINITY.to_le_bytes());
    }),
    ("a share below 0", |d| {
        d.set("llama.attention.layer_norm_rms_epsilon", F32, (-1_f32).to_le_bytes());
    }),
    ("another inner width", |d| d.set_u32("llama.feed_forward_length", 96)),
    ("a vocabulary of 2^32 - 1", |d| d.set_u32("llama.vocab_size", u32::MAX)),
    ("2^32 - 1 experts", |d| d.set_u32("llama.expert_count", u32::MAX)),
    ("more experts used than there are", |d| {
        d.set_u32("llama.expert_count", 2);
        d.set_u32("llama.expert_used_count", 3);
    }),
];

const EMBEDDING: &str = "token_embd.weight";

const TENSORS: &[(&str, Spoil)] = &[
    ("a tensor without a name", |d| d.tensors[3].name.clear()),
    ("a tensor with a name of 64 letters", |d| d.tensors[3].name = vec![b't'; 64]),
    ("a tensor with a name of control characters", |d| d.tensors[3].name = b"a\nb".to_vec()),
    ("a tensor twice", |d| d.tensors[3].name = d.tensors[2].name.clone()),
    ("a tensor of no dimensions", |d| d.change(EMBEDDING, |row| row.dims.clear())),
    ("a tensor of five dimensions", |d| d.change(EMBEDDING, |row| row.dims = vec![1; 5])),
    ("a tensor of 2^32 - 1 dimensions", |d| {
        d.change(EMBEDDING, |row| row.claimed_rank = Some(u32::MAX));
    }),
    ("a dimension of 0", |d| d.change(EMBEDDING, |row| row.dims = vec![64, 0])),
    ("a dimension of 2^64 - 1", |d| d.change(EMBEDDING, |row| row.dims = vec![64, u64::MAX])),
    ("dimensions whose product is 2^64", |d| {
        d.change(EMBEDDING, |row| row.dims = vec![1 << 32, 1 << 32]);
    }),
    ("dimensions whose product is 2^66, 4 in 64 bits", |d| {
        d.change(EMBEDDING, |row| row.dims = vec![1 << 33, 1 << 33]);
    }),
    ("2^62 numbers of 4 bytes", |d| d.change(EMBEDDING, |row| row.dims = vec![64, 1 << 56])),
    ("a type that is none", |d| d.change(EMBEDDING, |row| row.kind = 4)),
    ("a type of all ones", |d| d.change(EMBEDDING, |row| row.kind = u32::MAX)),
    ("rows that are no blocks", |d| d.change("blk.0.attn_q.weight", |row| row.kind = 12)),
    ("a place outside the file", |d| d.change(EMBEDDING, |row| row.offset = 1 << 40)),
    ("a place of 2^64 - 32", |d| d.change(EMBEDDING, |row| row.offset = u64::MAX - 31)),
    ("a place between places", |d| d.change("blk.1.ffn_norm.weight", |row| row.offset += 1)),
    ("a tensor on another one", |d| d.change("blk.0.attn_q.weight", |row| row.offset = 0)),
    ("all tensors on each other", |d| d.tensors.iter_mut().for_each(|row| row.offset = 0)),
    ("no numbers at all", |d| d.data.clear()),
    ("the last numbers missing", |d| d.data.truncate(d.data.len() - 128)),
    ("no embedding", |d| d.tensors[0].name = b"other.weight".to_vec()),
    ("an embedding the wrong way round", |d| {
        d.change(EMBEDDING, |row| row.dims = vec![260, 64]);
    }),
    ("a query of another shape", |d| {
        d.change("blk.1.attn_q.weight", |row| row.dims = vec![32, 128]);
    }),
    ("a norm of another length", |d| d.change("output_norm.weight", |row| row.dims = vec![32])),
    ("a tensor of block 2^64", |d| d.tensors[3].name = b"blk.18446744073709551616.x".to_vec()),
    ("a tensor of a block below 0", |d| d.tensors[3].name = b"blk.-1.x".to_vec()),
];
