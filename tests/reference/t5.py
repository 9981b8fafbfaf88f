"""Small random T5 encoders as GGUF files, and what transformers makes of their dequantised weights.

    python tests/reference/t5.py [MODEL ..]

For each MODEL, a folder that `imagen convert` made of the storybook model (say models/storybook), it also writes
tests/fixtures/t5_storybook_TYPE.safetensors, TYPE being how its weights are stored: `embedding` [20 prompts, 40 tokens,
32] holds of the p-th prompt the columns p % 8, p % 8 + 8, ..; `ids` and `mask` the tokens. The prompts are those of
tests/fixtures/t5_storybook.txt.

Writes tests/fixtures/t5_*.gguf (llama.cpp's names and keys, written and quantised by the gguf package; t5_hf_names.gguf
has transformers' names) and tests/fixtures/t5.safetensors: `ids`, `mask`, `buckets`, and `embedding.NAME` per file.
Files with `spiked` in the name hold one large weight per row, which costs the other values of its block most precision.
"""
import sys
from pathlib import Path

import gguf
import numpy
import torch
from safetensors.torch import save_file
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel
from transformers.models.t5.modeling_t5 import T5Attention

FIXTURES = Path(__file__).parent.parent / "fixtures"
TYPES = gguf.GGMLQuantizationType
TOKENS = 24
LENGTHS = [24, 13, 1]
# name: (feed-forward, type, spiked, transformers' names)
FILES = {
    "v1_0_f32": ("relu", TYPES.F32, False, False),
    "v1_1_f32": ("gated-gelu", TYPES.F32, False, False),
    "v1_1_f16": ("gated-gelu", TYPES.F16, False, False),
    "v1_1_q8_0": ("gated-gelu", TYPES.Q8_0, False, False),
    "v1_1_q4_0": ("gated-gelu", TYPES.Q4_0, False, False),
    "v1_1_f16_spiked": ("gated-gelu", TYPES.F16, True, False),
    "v1_1_q8_0_spiked": ("gated-gelu", TYPES.Q8_0, True, False),
    "v1_1_q4_0_spiked": ("gated-gelu", TYPES.Q4_0, True, False),
    "hf_names": ("gated-gelu", TYPES.Q4_0, False, True),
}
PARTS = {
    "0.layer_norm": "attn_norm", "0.SelfAttention.q": "attn_q", "0.SelfAttention.k": "attn_k",
    "0.SelfAttention.v": "attn_v", "0.SelfAttention.o": "attn_o",
    "0.SelfAttention.relative_attention_bias": "attn_rel_b", "1.layer_norm": "ffn_norm",
    "1.DenseReluDense.wi_0": "ffn_gate", "1.DenseReluDense.wi_1": "ffn_up", "1.DenseReluDense.wi": "ffn_up",
    "1.DenseReluDense.wo": "ffn_down",
}


def llama_cpp_name(name):
    if name == "shared.weight":
        return "token_embd.weight"
    if name == "encoder.final_layer_norm.weight":
        return "enc.output_norm.weight"
    _, _, block, _, part = name.split(".", 4)
    return f"enc.blk.{block}.{PARTS[part.removesuffix('.weight')]}.weight"


def random_model(feed_forward):
    """Heads together narrower than d_model, as in t5-small's relatives, so that the two cannot be mistaken."""
    torch.manual_seed(11)
    config = T5Config(vocab_size=64, d_model=64, d_kv=16, d_ff=96, num_layers=2, num_heads=2, dropout_rate=0.0,
                      feed_forward_proj=feed_forward, is_encoder_decoder=False, use_cache=False)
    model = T5EncoderModel(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape)
            if "norm" in name:
                weight.copy_(1 + 0.2 * noise)
            elif "relative_attention_bias" in name or name == "shared.weight":
                weight.copy_(noise)
            elif name.endswith(("q.weight", "k.weight")):
                # Scores of a spread near 2: neither uniform nor one-hot.
                weight.copy_(noise * 0.7 * weight.shape[1] ** -0.5)
            else:
                weight.copy_(noise * weight.shape[1] ** -0.5)
    return model


def spike(weight):
    """One weight per row, at another place in each, ten times the largest."""
    rows = numpy.arange(weight.shape[0])
    weight[rows, (rows * 7) % weight.shape[1]] = 10 * numpy.abs(weight).max(axis=1)


def write_file(name, model, kind, spiked, transformers_names):
    config, path = model.config, FIXTURES / f"t5_{name}.gguf"
    writer = gguf.GGUFWriter(path, "t5encoder")
    writer.add_context_length(512)
    writer.add_embedding_length(config.d_model)
    writer.add_feed_forward_length(config.d_ff)
    writer.add_block_count(config.num_layers)
    writer.add_head_count(config.num_heads)
    writer.add_key_length(config.d_kv)
    writer.add_value_length(config.d_kv)
    writer.add_layer_norm_eps(config.layer_norm_epsilon)
    writer.add_relative_attn_buckets_count(config.relative_attention_num_buckets)
    writer.add_layer_norm_rms_eps(config.layer_norm_epsilon)
    for key, value in model.state_dict().items():
        if key == "encoder.embed_tokens.weight":
            continue
        weight = value.numpy().copy()
        plain = weight.ndim == 1 or "relative_attention_bias" in key
        if spiked and not plain:
            spike(weight)
        used = TYPES.F32 if plain else kind
        stored = key if transformers_names else llama_cpp_name(key)
        writer.add_tensor(stored, gguf.quants.quantize(weight, used), raw_dtype=used)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def read_model(path):
    """transformers' model with the file's dequantised weights."""
    reader = gguf.GGUFReader(path)
    tensors = {t.name: torch.from_numpy(gguf.quants.dequantize(t.data, t.tensor_type).astype(numpy.float32))
               for t in reader.tensors}
    value = lambda key: reader.fields[f"t5encoder.{key}"].contents()
    gated = any(name.endswith(("ffn_gate.weight", "wi_0.weight")) for name in tensors)
    table = tensors.get("token_embd.weight", tensors.get("shared.weight"))
    config = T5Config(
        vocab_size=table.shape[0], d_model=value("embedding_length"), d_kv=value("attention.key_length"),
        d_ff=value("feed_forward_length"), num_layers=value("block_count"), num_heads=value("attention.head_count"),
        layer_norm_epsilon=value("attention.layer_norm_rms_epsilon"), dropout_rate=0.0,
        relative_attention_num_buckets=value("attention.relative_buckets_count"),
        feed_forward_proj="gated-gelu" if gated else "relu", is_encoder_decoder=False, use_cache=False)
    model = T5EncoderModel(config).eval()
    tensors["encoder.embed_tokens.weight"] = table
    state = {key: tensors[key] if key in tensors else tensors[llama_cpp_name(key)] for key in model.state_dict()}
    model.load_state_dict(state)
    return model


def storybook(folder):
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="<pad>",
                                        eos_token="</s>", unk_token="<unk>")
    path = folder / "text_encoder.gguf"
    model = read_model(path)
    kind = next(t.tensor_type.name for t in gguf.GGUFReader(path).tensors if t.name == "enc.blk.0.attn_q.weight")
    prompts = (FIXTURES / "t5_storybook.txt").read_text().splitlines()
    batch = tokenizer(prompts, padding="max_length", max_length=40, truncation=True, return_tensors="pt")
    with torch.no_grad():
        hidden = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).last_hidden_state
    columns = torch.stack([row[:, p % 8 :: 8] for p, row in enumerate(hidden)]).contiguous()
    out = {"ids": batch.input_ids, "mask": batch.attention_mask, "embedding": columns}
    save_file(out, FIXTURES / f"t5_storybook_{kind.lower()}.safetensors")


def main():
    torch.set_num_threads(1)
    FIXTURES.mkdir(exist_ok=True)
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(2, 64, (len(LENGTHS), TOKENS), generator=generator)
    mask = (torch.arange(TOKENS)[None] < torch.tensor(LENGTHS)[:, None]).long()
    ids = ids * mask
    distances = torch.arange(-300, 301)
    out = {"ids": ids, "mask": mask, "buckets": T5Attention._relative_position_bucket(distances)}
    for name, (feed_forward, kind, spiked, transformers_names) in FILES.items():
        path = write_file(name, random_model(feed_forward), kind, spiked, transformers_names)
        model = read_model(path)
        with torch.no_grad():
            out[f"embedding.{name}"] = model(input_ids=ids, attention_mask=mask).last_hidden_state.contiguous()
    save_file(out, FIXTURES / "t5.safetensors")
    for folder in sys.argv[1:]:
        storybook(Path(folder))


if __name__ == "__main__":
    main()
