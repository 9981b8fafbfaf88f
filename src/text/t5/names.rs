//! Names of a T5 encoder's tensors: transformers' and llama.cpp's.

/// llama.cpp's name for a tensor that transformers calls `name`; unchanged where it has none.
pub fn llama_cpp_name(name: &str) -> String {
    let fixed = match name {
        "shared.weight" => Some("token_embd.weight"),
        "encoder.final_layer_norm.weight" => Some("enc.output_norm.weight"),
        _ => None,
    };
    fixed.map(str::to_owned).or_else(|| block_name(name)).unwrap_or_else(|| name.to_owned())
}

fn block_name(name: &str) -> Option<String> {
    let (block, part) = name.strip_prefix("encoder.block.")?.split_once('.')?;
    let part = match part.strip_prefix("layer.")?.strip_suffix(".weight")? {
        "0.layer_norm" => "attn_norm",
        "0.SelfAttention.q" => "attn_q",
        "0.SelfAttention.k" => "attn_k",
        "0.SelfAttention.v" => "attn_v",
        "0.SelfAttention.o" => "attn_o",
        "0.SelfAttention.relative_attention_bias" => "attn_rel_b",
        "1.layer_norm" => "ffn_norm",
        "1.DenseReluDense.wi_0" => "ffn_gate",
        "1.DenseReluDense.wi_1" | "1.DenseReluDense.wi" => "ffn_up",
        "1.DenseReluDense.wo" => "ffn_down",
        _ => return None,
    };
    Some(format!("enc.blk.{block}.{part}.weight"))
}

/// The name under which a file stores the tensor that transformers calls `name`: whichever of the known names the file
/// has, else llama.cpp's (so that an error about a missing tensor names what a GGUF file should have).
pub fn stored_name(name: &str, has: impl Fn(&str) -> bool) -> String {
    let also = if name == "shared.weight" { "encoder.embed_tokens.weight" } else { name };
    [name, also].into_iter().find(|candidate| has(candidate)).map_or_else(|| llama_cpp_name(name), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_llama_cpps() {
        let cases = [
            ("shared.weight", "token_embd.weight"),
            ("encoder.final_layer_norm.weight", "enc.output_norm.weight"),
            ("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", "enc.blk.0.attn_rel_b.weight"),
            ("encoder.block.11.layer.0.SelfAttention.o.weight", "enc.blk.11.attn_o.weight"),
            ("encoder.block.2.layer.1.DenseReluDense.wi.weight", "enc.blk.2.ffn_up.weight"),
            ("encoder.block.2.layer.1.DenseReluDense.wi_0.weight", "enc.blk.2.ffn_gate.weight"),
            ("encoder.block.2.layer.1.layer_norm.weight", "enc.blk.2.ffn_norm.weight"),
            ("something.else", "something.else"),
        ];
        for (name, expected) in cases {
            assert_eq!(llama_cpp_name(name), expected);
        }
    }

    #[test]
    fn whatever_the_file_has_is_taken() {
        let hugging_face = |name: &str| name == "encoder.embed_tokens.weight";
        assert_eq!(stored_name("shared.weight", hugging_face), "encoder.embed_tokens.weight");
        assert_eq!(stored_name("shared.weight", |_| true), "shared.weight");
        assert_eq!(stored_name("shared.weight", |_| false), "token_embd.weight");
    }
}
