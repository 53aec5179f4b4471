//! The numbers that say how the model is built, and whether the tensors are built so.

use super::tensor::{Tensor, Tensors};
use super::value::Values;
use crate::models::bad_file::BadFile;

/// The longest context of today. Engines make tables of this length when they load.
const CONTEXT: u64 = 1 << 20;

/// How the model is built.
pub(super) struct Shape {
    /// What it reads at most.
    pub(super) context: u64,
    /// Layers.
    pub(super) blocks: u64,
    /// Numbers that stand for a token.
    pub(super) width: u64,
    /// Numbers inside a layer's second half.
    inner: Option<u64>,
    /// Numbers of all heads that ask, that are asked by keys, that answer by values, and that are
    /// put together.
    asking: u64,
    keys: u64,
    values: u64,
    joined: u64,
}

impl Shape {
    pub(super) fn of(said: &Values, architecture: &str) -> Result<Self, BadFile> {
        let key = |name: &str| format!("{architecture}.{name}");
        let context = said.count(&key("context_length"), 1..=CONTEXT)?;
        let blocks = said.count(&key("block_count"), 1..=512)?;
        let width = said.count(&key("embedding_length"), 1..=1 << 17)?;
        let inner = said.integer(&key("feed_forward_length"), 1..=1 << 20)?;
        let heads = said.count(&key("attention.head_count"), 1..=1024)?;
        let kept = said.integer(&key("attention.head_count_kv"), 1..=heads)?.unwrap_or(heads);
        if !heads.is_multiple_of(kept) {
            let why = format!("{heads} heads cannot share {kept}");
            return Err(BadFile::key(key("attention.head_count_kv"), why));
        }
        let key_length = said.integer(&key("attention.key_length"), 1..=8192)?;
        let value_length = said.integer(&key("attention.value_length"), 1..=8192)?;
        if key_length.is_none() && !width.is_multiple_of(heads) {
            let why = format!("{width} numbers cannot be shared by {heads} heads");
            return Err(BadFile::key(key("attention.head_count"), why));
        }
        let per_key = key_length.unwrap_or(width / heads);
        let per_value = value_length.unwrap_or(width / heads);
        // Turned in pairs.
        let turned = said.integer(&key("rope.dimension_count"), 2..=per_key.max(2))?;
        if turned.is_some_and(|numbers| numbers % 2 != 0) {
            return Err(BadFile::key(key("rope.dimension_count"), "it is odd"));
        }
        said.real(&key("rope.freq_base"), 1e12)?;
        said.real(&key("attention.layer_norm_rms_epsilon"), 1.0)?;
        said.real(&key("attention.layer_norm_epsilon"), 1.0)?;
        said.integer(&key("vocab_size"), 1..=1 << 20)?;
        if let Some(experts) = said.integer(&key("expert_count"), 0..=1024)? {
            said.integer(&key("expert_used_count"), 0..=experts)?;
        }
        Ok(Self {
            context,
            blocks,
            width,
            inner,
            asking: heads * per_key,
            keys: kept * per_key,
            values: kept * per_value,
            joined: heads * per_value,
        })
    }

    /// Numbers that a layer keeps for each token of a conversation.
    pub(super) fn kept_per_token(&self) -> u64 {
        self.keys + self.values
    }

    /// Whether the tensors belong to such a model with so many tokens. Only names that all
    /// architectures mean alike are looked at; the engine looks for those it needs.
    pub(super) fn fits(&self, tensors: &Tensors, vocabulary: u64) -> Result<(), BadFile> {
        const EMBEDDING: &str = "token_embd.weight";
        let embedding =
            tensors.get(EMBEDDING).ok_or_else(|| BadFile::tensor(EMBEDDING, "it is not there"))?;
        self.has_row_for_each(EMBEDDING, embedding, vocabulary)?;
        if let Some(output) = tensors.get("output.weight") {
            self.has_row_for_each("output.weight", output, vocabulary)?;
        }
        let mut there = vec![false; usize::try_from(self.blocks).unwrap_or_default()];
        for (name, tensor) in tensors.iter() {
            let expected = match name.strip_prefix("blk.") {
                Some(rest) => {
                    let (block, part) = rest.split_once('.').unwrap_or_default();
                    let block = block.parse().ok().and_then(|block: usize| there.get_mut(block));
                    *block.ok_or_else(|| {
                        BadFile::tensor(name, format!("there are {} blocks only", self.blocks))
                    })? = true;
                    self.in_block(part)
                }
                None if name == "output_norm.weight" => Some(vec![self.width]),
                None => None,
            };
            if let Some(expected) = expected.filter(|expected| *expected != tensor.dims) {
                let why = format!("its shape is {:?}, not {expected:?}", tensor.dims);
                return Err(BadFile::tensor(name, why));
            }
        }
        match there.iter().position(|there| !there) {
            Some(block) => Err(BadFile::tensor(format!("blk.{block}"), "it is not there")),
            None => Ok(()),
        }
    }

    fn has_row_for_each(&self, name: &str, tensor: &Tensor, tokens: u64) -> Result<(), BadFile> {
        match tensor.dims.as_slice() {
            [width, rows] if *width == self.width && *rows >= tokens => Ok(()),
            dims => {
                let why = format!("its shape is {dims:?}, not [{}, {tokens}]", self.width);
                Err(BadFile::tensor(name, why))
            }
        }
    }

    fn in_block(&self, part: &str) -> Option<Vec<u64>> {
        match part {
            "attn_norm.weight" | "ffn_norm.weight" => Some(vec![self.width]),
            "attn_q.weight" => Some(vec![self.width, self.asking]),
            "attn_k.weight" => Some(vec![self.width, self.keys]),
            "attn_v.weight" => Some(vec![self.width, self.values]),
            "attn_output.weight" => Some(vec![self.joined, self.width]),
            "ffn_gate.weight" => self.inner.map(|inner| vec![self.width, inner]),
            "ffn_down.weight" => self.inner.map(|inner| vec![inner, self.width]),
            _ => None,
        }
    }
}
