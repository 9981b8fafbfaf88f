//! Which block format each tensor of a network is stored in.
//!
//! Large matrices are quantised; vectors and tables of positions are small and sensitive and stay F32. A [`Mixture`] is
//! one format for all matrices, or one of llama.cpp's mixtures (`llama_tensor_get_type` in its `llama-quant.cpp`), which
//! give Q6_K to those that suffer most: the values of attention and the feed-forward layers' way out in the first and last
//! eighth of the layers and in every third between them, and the token table. In a U-Net the second convolution of a
//! residual block is such a way out; its first and last convolution get Q6_K too.
//!
//! Rows that are not whole blocks of 256 take the next larger format of blocks of 32, rows that are not those either F16.

use crate::weights::BlockFormat;
use std::collections::BTreeMap;
use std::str::FromStr;

/// The token table of a text encoder.
const TOKENS: &str = "shared.weight";

/// How the matrices of one network are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mixture {
    /// All in one format; the token table, which is read row by row and never multiplied, in 16 bits at least.
    Plain(BlockFormat),
    /// This one, and Q6_K where it matters most.
    Medium(BlockFormat),
}

impl Mixture {
    /// The formats of a network's tensors, which are given by their names in the checkpoint and their shapes in the file.
    pub(super) fn formats<'a>(
        self,
        tensors: impl IntoIterator<Item = (&'a str, &'a [usize])>,
    ) -> BTreeMap<String, BlockFormat> {
        let mut tensors: Vec<_> = tensors.into_iter().collect();
        tensors.sort_by_key(|(name, _)| in_order(name));
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for class in tensors.iter().filter_map(|(name, _)| class(name)) {
            *counts.entry(class).or_default() += 1;
        }
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let format = |(name, shape): (&'a str, &'a [usize])| {
            let matters = class(name).is_some_and(|class| {
                let index = seen.entry(class).or_default();
                *index += 1;
                matters(*index - 1, counts[class])
            });
            (name.to_owned(), self.format(name, shape, matters))
        };
        tensors.into_iter().map(format).collect()
    }

    /// The format of one tensor, of which the mixture says whether it `matters` more than others of its class.
    fn format(self, name: &str, shape: &[usize], matters: bool) -> BlockFormat {
        // Tables that are added, not multiplied with: of positions, and of their distances.
        let table = name.ends_with("relative_attention_bias.weight") || name.ends_with("pos_emb.weight");
        let matrix = shape.len() == 2 && name.ends_with(".weight") && !table;
        if !matrix {
            return BlockFormat::F32;
        }
        let wanted = match self {
            Self::Plain(wide @ (BlockFormat::F32 | BlockFormat::Bf16)) => wide,
            Self::Plain(_) if name == TOKENS => BlockFormat::F16,
            Self::Plain(format) => format,
            Self::Medium(_) if matters || [TOKENS, "conv_in.weight", "conv_out.weight"].contains(&name) => {
                BlockFormat::Q6K
            }
            Self::Medium(format) => format,
        };
        that_divides(wanted, shape[1])
    }
}

/// Tensors of which a mixture gives some more bits.
fn class(name: &str) -> Option<&str> {
    let classes = [".SelfAttention.v.", ".to_v.", ".add_v_proj.", ".DenseReluDense.wo.", ".conv2."];
    classes.into_iter().find(|part| name.contains(part))
}

/// Whether llama.cpp gives more bits to the tensor `index` of `count` of its class.
fn matters(index: usize, count: usize) -> bool {
    let eighth = count / 8;
    index < eighth || index >= 7 * count / 8 || (index - eighth) % 3 == 2
}

/// The format, or the next that stores rows of `columns` values.
fn that_divides(format: BlockFormat, columns: usize) -> BlockFormat {
    let smaller_blocks = match format {
        BlockFormat::Q4K => BlockFormat::Q5_0,
        BlockFormat::Q5K | BlockFormat::Q6K => BlockFormat::Q8_0,
        other => other,
    };
    let fits = |format: &BlockFormat| columns.is_multiple_of(format.block_values());
    [format, smaller_blocks].into_iter().find(fits).unwrap_or(BlockFormat::F16)
}

/// Sorts names by their parts, and parts that are numbers by their value: layer 10 comes after layer 2.
fn in_order(name: &str) -> Vec<Result<u32, &str>> {
    name.split('.').map(|part| part.parse().map_err(|_| part)).collect()
}

impl FromStr for Mixture {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "q4_k_m" => Ok(Self::Medium(BlockFormat::Q4K)),
            "q5_k_m" => Ok(Self::Medium(BlockFormat::Q5K)),
            plain => plain.parse().map(Self::Plain).map_err(|_| {
                format!("{text:?} is none of f32, f16, bf16, q8_0, q6_k, q5_k_m, q5_k, q5_0, q4_k_m, q4_k, q4_0")
            }),
        }
    }
}

/// The mixtures of a cascade's networks, written `q8_0`, or `q8_0,text_encoder=q4_k_m,unet=q5_k`: one for all, and those of
/// single networks by the names of their files. Without one for all it is F16.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantization {
    usual: Mixture,
    networks: BTreeMap<String, Mixture>,
}

impl Quantization {
    /// The mixture of a network.
    pub(super) fn of(&self, network: &str) -> Mixture {
        self.networks.get(network).copied().unwrap_or(self.usual)
    }

    /// The networks that are named.
    pub(super) fn networks(&self) -> impl Iterator<Item = &str> {
        self.networks.keys().map(String::as_str)
    }
}

impl Default for Quantization {
    /// F16 for all.
    fn default() -> Self {
        BlockFormat::F16.into()
    }
}

impl From<BlockFormat> for Quantization {
    fn from(format: BlockFormat) -> Self {
        Self { usual: Mixture::Plain(format), networks: BTreeMap::new() }
    }
}

impl FromStr for Quantization {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut usual, mut networks) = (None, BTreeMap::new());
        for part in text.split(',').map(str::trim) {
            let before = match part.split_once('=') {
                None => usual.replace(part.parse()?).map(|_| "all networks"),
                Some((folder, mixture)) => networks.insert(folder.to_owned(), mixture.parse()?).map(|_| folder),
            };
            if let Some(named) = before {
                return Err(format!("{named} has two formats"));
            }
        }
        Ok(Self { usual: usual.unwrap_or(Mixture::Plain(BlockFormat::F16)), networks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The layers of which llama.cpp's Q4_K_M has `ffn_down` in Q6_K, as published files of Llama 2 7B (32 layers) show.
    #[test]
    fn the_layers_are_llama_cpps() {
        let layers: Vec<usize> = (0..32).filter(|&layer| matters(layer, 32)).collect();
        assert_eq!(layers, [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31]);
    }

    #[test]
    fn layers_count_as_numbers() {
        let names: Vec<String> =
            (0..24).map(|i| format!("encoder.block.{i}.layer.1.DenseReluDense.wo.weight")).collect();
        let formats =
            Mixture::Medium(BlockFormat::Q4K).formats(names.iter().map(|name| (name.as_str(), &[8, 256][..])));
        let more: Vec<usize> = (0..24).filter(|&i| formats[&names[i]] == BlockFormat::Q6K).collect();
        assert_eq!(more, [0, 1, 2, 5, 8, 11, 14, 17, 20, 21, 22, 23]);
        assert!(formats.values().all(|&format| format == BlockFormat::Q6K || format == BlockFormat::Q4K));
    }

    #[test]
    fn rows_decide_where_blocks_do_not_divide_them() {
        use BlockFormat::{Bf16, F16, F32, Q4_0, Q4K, Q5_0, Q5K, Q6K, Q8_0};
        let format = |mixture: Mixture, name: &str, shape: &[usize]| mixture.format(name, shape, true);
        for (mixture, columns, expected) in [
            (Mixture::Plain(Q4K), 512, Q4K),
            (Mixture::Plain(Q4K), 288, Q5_0),
            (Mixture::Plain(Q5K), 288, Q8_0),
            (Mixture::Plain(Q6K), 288, Q8_0),
            (Mixture::Plain(Q4_0), 288, Q4_0),
            (Mixture::Plain(Q4_0), 27, F16),
            (Mixture::Plain(F32), 27, F32),
            (Mixture::Medium(Q4K), 512, Q6K),
            (Mixture::Medium(Q4K), 288, Q8_0),
            (Mixture::Medium(Q4K), 27, F16),
        ] {
            assert_eq!(format(mixture, "a.conv2.weight", &[8, columns]), expected, "{mixture:?} {columns}");
        }
        assert_eq!(format(Mixture::Plain(Q4K), TOKENS, &[8, 256]), F16);
        assert_eq!(format(Mixture::Plain(Bf16), TOKENS, &[8, 256]), Bf16);
        assert_eq!(format(Mixture::Medium(Q4K), TOKENS, &[8, 256]), Q6K);
        assert_eq!(format(Mixture::Medium(Q4K), "a.bias", &[256]), F32);
        for table in ["a.relative_attention_bias.weight", "attn_pool.pos_emb.weight"] {
            assert_eq!(format(Mixture::Plain(Q4K), table, &[32, 256]), F32, "{table}");
        }
    }

    #[test]
    fn faults_say_what_there_is() {
        let parsed: Quantization = "Q8_0, text_encoder=q4_k_m".parse().unwrap();
        assert_eq!(parsed.of("text_encoder"), Mixture::Medium(BlockFormat::Q4K));
        assert_eq!(parsed.of("unet"), Mixture::Plain(BlockFormat::Q8_0));
        assert_eq!("unet=q5_k".parse::<Quantization>().unwrap().of("text_encoder"), Mixture::Plain(BlockFormat::F16));
        for (text, expected) in [
            ("q3_k", "none of f32"),
            ("", "none of"),
            ("q8_0,f16", "all networks has two"),
            ("a=f16,a=f16", "a has two"),
        ] {
            let error = text.parse::<Quantization>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
