//! The network: BERT as sentence-transformers has trained it. The mean over a text's tokens, made
//! as long as 1, is its vector.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::ops::softmax_last_dim;
use candle_nn::{LayerNorm, Linear, Module};

/// What the tensors do not say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Build {
    /// Heads of a layer.
    pub(crate) heads: usize,
    /// Keeps a norm from dividing by 0.
    pub(crate) epsilon: f64,
}

/// The network, its numbers in memory.
pub(crate) struct Bert {
    words: Tensor,
    places: Tensor,
    /// For the first of two texts; there is only one.
    first: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

struct Layer {
    heads: usize,
    query: Linear,
    key: Linear,
    value: Linear,
    joined: Linear,
    joined_norm: LayerNorm,
    inner: Linear,
    outer: Linear,
    outer_norm: LayerNorm,
}

/// The file's tensors, asked for by name.
struct Tensors {
    all: HashMap<String, Tensor>,
    build: Build,
}

impl Tensors {
    fn get(&self, name: &str) -> Result<Tensor> {
        let tensor = self.all.get(name);
        tensor
            .ok_or_else(|| candle_core::Error::Msg(format!("there is no tensor {name}")))?
            .to_dtype(DType::F32)
    }

    fn linear(&self, name: &str) -> Result<Linear> {
        let (weight, bias) =
            (self.get(&format!("{name}.weight"))?, self.get(&format!("{name}.bias"))?);
        let (out, _) = weight.dims2()?;
        Ok(Linear::new(weight, Some(bias.reshape(out)?)))
    }

    fn norm(&self, name: &str) -> Result<LayerNorm> {
        let (weight, bias) =
            (self.get(&format!("{name}.weight"))?, self.get(&format!("{name}.bias"))?);
        Ok(LayerNorm::new(weight, bias, self.build.epsilon))
    }
}

impl Bert {
    /// Reads the tensors. The file was checked before.
    pub(crate) fn load(path: &Path, build: Build) -> Result<Self> {
        let tensors = Tensors { all: candle_core::safetensors::load(path, &Device::Cpu)?, build };
        let at = |number: usize| format!("encoder.layer.{number}");
        let is_there = |number: &usize| {
            tensors.all.contains_key(&format!("{}.output.dense.weight", at(*number)))
        };
        let layers = (0..).take_while(is_there).map(|number| Layer::of(&tensors, &at(number)));
        let bert = Self {
            words: tensors.get("embeddings.word_embeddings.weight")?,
            places: tensors.get("embeddings.position_embeddings.weight")?,
            first: tensors.get("embeddings.token_type_embeddings.weight")?.get(0)?,
            norm: tensors.norm("embeddings.LayerNorm")?,
            layers: layers.collect::<Result<_>>()?,
        };
        if bert.layers.is_empty() || !bert.dimensions()?.is_multiple_of(build.heads) {
            candle_core::bail!("this is not the network it should be");
        }
        // All that follows from the shapes is found now, not when somebody waits.
        bert.vectors(&[&[0, 0]])?;
        Ok(bert)
    }

    /// Numbers of a vector.
    pub(crate) fn dimensions(&self) -> Result<usize> {
        self.words.dim(1)
    }

    /// Tokens it knows.
    pub(crate) fn vocabulary(&self) -> Result<usize> {
        self.words.dim(0)
    }

    /// The longest text, in tokens.
    pub(crate) fn longest(&self) -> Result<usize> {
        self.places.dim(0)
    }

    /// A vector for each text. Blocks; there is at least one text, none longer than
    /// [`Self::longest`] and none empty.
    pub(crate) fn vectors(&self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>> {
        let length = texts.iter().map(|text| text.len()).max().unwrap_or_default();
        let filled = |text: &&[u32]| [text, &vec![0; length - text.len()][..]].concat();
        let tokens: Vec<u32> = texts.iter().flat_map(filled).collect();
        let shape = (texts.len(), length);
        let tokens = Tensor::from_vec(tokens, shape, &Device::Cpu)?;
        let mask = Mask::of(texts, length)?;

        let words = self.words.embedding(&tokens.flatten_all()?)?.reshape((
            texts.len(),
            length,
            self.dimensions()?,
        ))?;
        let places = self.places.narrow(0, 0, length)?.broadcast_add(&self.first)?;
        let mut state = self.norm.forward(&words.broadcast_add(&places)?)?;
        for layer in &self.layers {
            state = layer.forward(&state, mask.as_ref())?;
        }
        let mean = match &mask {
            None => state.mean(1)?,
            Some(Mask { there, lengths, .. }) => {
                state.broadcast_mul(there)?.sum(1)?.broadcast_div(lengths)?
            }
        };
        let size = mean.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?;
        mean.broadcast_div(&size)?.to_vec2()
    }
}

/// Which tokens are there and not filled up.
struct Mask {
    /// 1 where there is a token: text, token, 1.
    there: Tensor,
    /// Tokens of each text: text, 1.
    lengths: Tensor,
    /// What makes a head look away: text, 1, 1, token.
    away: Tensor,
}

impl Mask {
    /// None where nothing is filled up.
    fn of(texts: &[&[u32]], length: usize) -> Result<Option<Self>> {
        if texts.iter().all(|text| text.len() == length) {
            return Ok(None);
        }
        let row = |text: &&[u32]| {
            let here = text.len();
            (0..length).map(move |place| if place < here { 1_f32 } else { 0.0 })
        };
        let there: Vec<f32> = texts.iter().flat_map(row).collect();
        let there = Tensor::from_vec(there, (texts.len(), length), &Device::Cpu)?;
        Ok(Some(Self {
            lengths: there.sum_keepdim(1)?,
            away: there.affine(1e9, -1e9)?.reshape((texts.len(), 1, 1, length))?,
            there: there.unsqueeze(2)?,
        }))
    }
}

impl Layer {
    fn of(tensors: &Tensors, name: &str) -> Result<Self> {
        let attention = |part: &str| tensors.linear(&format!("{name}.attention.{part}"));
        Ok(Self {
            heads: tensors.build.heads,
            query: attention("self.query")?,
            key: attention("self.key")?,
            value: attention("self.value")?,
            joined: attention("output.dense")?,
            joined_norm: tensors.norm(&format!("{name}.attention.output.LayerNorm"))?,
            inner: tensors.linear(&format!("{name}.intermediate.dense"))?,
            outer: tensors.linear(&format!("{name}.output.dense"))?,
            outer_norm: tensors.norm(&format!("{name}.output.LayerNorm"))?,
        })
    }

    fn forward(&self, state: &Tensor, mask: Option<&Mask>) -> Result<Tensor> {
        let (texts, length, width) = state.dims3()?;
        // One matrix product for all texts.
        let flat = state.reshape((texts * length, width))?;
        let per_head = width / self.heads;
        let heads = |linear: &Linear| {
            let shape = (texts, length, self.heads, per_head);
            linear.forward(&flat)?.reshape(shape)?.transpose(1, 2)?.contiguous()
        };
        let (query, key, value) = (heads(&self.query)?, heads(&self.key)?, heads(&self.value)?);
        #[expect(clippy::cast_precision_loss, reason = "heads are small")]
        let scale = 1.0 / (per_head as f64).sqrt();
        let mut looks = (query.matmul(&key.t()?)? * scale)?;
        if let Some(Mask { away, .. }) = mask {
            looks = looks.broadcast_add(away)?;
        }
        let seen = softmax_last_dim(&looks)?.matmul(&value)?;
        let seen = seen.transpose(1, 2)?.contiguous()?.reshape((texts * length, width))?;
        let joined = self.joined_norm.forward(&(self.joined.forward(&seen)? + flat)?)?;
        let inner = self.inner.forward(&joined)?.gelu_erf()?;
        let outer = self.outer_norm.forward(&(self.outer.forward(&inner)? + joined)?)?;
        outer.reshape((texts, length, width))
    }
}
