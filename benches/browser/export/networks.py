"""Whole networks: a U-Net step (diffusers) and T5 encoding (transformers), exported with the weights that ours gets."""

import json
from pathlib import Path

import gguf
import torch
from diffusers import UNet2DConditionModel
from torch import nn
from transformers import T5Config, T5EncoderModel

import graph
from files import parameters, rounded, write_values, write_weights
from ops import contributed

ROOT = Path(__file__).resolve().parents[3]


class Step(nn.Module):
    """The U-Net with plain tensors in and out."""

    def __init__(self, net: UNet2DConditionModel):
        super().__init__()
        self.net = net

    def forward(self, x, timestep, text, labels=None):
        return self.net(x, timestep, text, class_labels=labels).sample


class Attended:
    """diffusers' attention with added keys, with onnxruntime's fused operator in place of the score matrix."""

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, **_):
        residual = hidden_states
        text = attn.norm_encoder_hidden_states(encoder_hidden_states) if attn.norm_cross else encoder_hidden_states
        x = attn.group_norm(hidden_states.flatten(2)).transpose(1, 2)
        key, value = attn.add_k_proj(text), attn.add_v_proj(text)
        if not attn.only_cross_attention:
            key, value = torch.cat([key, attn.to_k(x)], 1), torch.cat([value, attn.to_v(x)], 1)
        x = contributed(attn.to_q(x), key, value, attn.heads, attn.scale, None)
        return attn.to_out[0](x).transpose(1, 2).reshape(residual.shape) + residual


def stored(net: nn.Module, path: Path) -> None:
    """The weights of a GGUF file, dequantised."""
    tensors = {t.name: torch.from_numpy(gguf.dequantize(t.data, t.tensor_type).copy()) for t in gguf.GGUFReader(path).tensors}
    for name, parameter in net.state_dict().items():
        value = tensors[name]
        if parameter.ndim == 4:
            out, channels, height, width = parameter.shape
            value = value.reshape(out, height, width, channels).permute(0, 3, 1, 2)
        parameter.copy_(value.reshape(parameter.shape))


def unet(case: dict, out: Path) -> list[str]:
    path = ROOT / case["weights"] if "weights" in case else None
    config = case.get("config") or json.loads(gguf.GGUFReader(path).fields["imagen.unet.config"].contents())
    known = {k: v for k, v in config.items() if k != "patch_size" and not k.startswith("_")}
    net = UNet2DConditionModel(**known).float().eval()
    if path:
        stored(net, path)
    else:
        for name, parameter in net.state_dict().items():
            parameter.copy_(torch.from_numpy(rounded(name, parameter.numpy(), case["format"])))
    batch, side = case["batch"], config["sample_size"]
    inputs = {
        "x": torch.randn(batch, config["in_channels"], side, side),
        "timestep": torch.tensor([721.0, 36.0]),
        "text": torch.randn(batch, case["tokens"], config.get("encoder_hid_dim") or config["cross_attention_dim"]),
    }
    if config.get("class_embed_type"):
        inputs["labels"] = torch.tensor([90.0, 3.0])
    module = Step(net)
    expected = module(**inputs)
    write_values(out / "values.safetensors", inputs, {"output": expected})
    write_weights(out / "weights.gguf", "imagen-unet", parameters(net), case["format"], {"imagen.unet.config": json.dumps(config)})
    # onnxruntime-web has no quantised convolution: against the quantised row it runs the dequantised weights.
    variants = {"decomposed": module}
    if any(hasattr(layer, "add_k_proj") for layer in net.modules()):
        fused = UNet2DConditionModel(**known).float().eval()
        fused.load_state_dict(net.state_dict())
        fused.set_attn_processor(Attended())
        variants["contributed"] = Step(fused)
    return graph.variants(out, variants, inputs, "f32", expected)


class Encoder(nn.Module):
    """From embedded tokens: looking the rows up is left out on both sides."""

    def __init__(self, model: T5EncoderModel):
        super().__init__()
        self.model = model

    def forward(self, x, mask):
        return self.model(inputs_embeds=x, attention_mask=mask).last_hidden_state


class FusedEncoder(nn.Module):
    """The same with onnxruntime's fused attention, and the positions' bias as a constant."""

    def __init__(self, model: T5EncoderModel, tokens: int):
        super().__init__()
        self.stack = model.encoder
        self.register_buffer("bias", self.stack.block[0].layer[0].SelfAttention.compute_bias(tokens, tokens))

    def forward(self, x, mask):
        bias = self.bias + (1.0 - mask)[:, None, None, :] * torch.finfo(torch.float32).min
        for block in self.stack.block:
            attention, normed = block.layer[0].SelfAttention, block.layer[0].layer_norm(x)
            q, k, v = attention.q(normed), attention.k(normed), attention.v(normed)
            x = x + attention.o(contributed(q, k, v, attention.n_heads, 1.0, bias))
            x = block.layer[1](x)
        return self.stack.final_layer_norm(x)


PARTS = {
    "0.layer_norm": "attn_norm", "0.SelfAttention.q": "attn_q", "0.SelfAttention.k": "attn_k",
    "0.SelfAttention.v": "attn_v", "0.SelfAttention.o": "attn_o",
    "0.SelfAttention.relative_attention_bias": "attn_rel_b", "1.layer_norm": "ffn_norm",
    "1.DenseReluDense.wi_0": "ffn_gate", "1.DenseReluDense.wi_1": "ffn_up", "1.DenseReluDense.wo": "ffn_down",
}  # fmt: skip


def llama_cpp_name(name: str) -> str:
    if name == "shared.weight":
        return "token_embd.weight"
    if name == "encoder.final_layer_norm.weight":
        return "enc.output_norm.weight"
    _, _, block, _, part = name.split(".", 4)
    return f"enc.blk.{block}.{PARTS[part.removesuffix('.weight')]}.weight"


def t5(case: dict, out: Path) -> list[str]:
    # A vocabulary of 32 rows: looking one up is not what is measured.
    config = T5Config(
        vocab_size=32, d_model=case["d_model"], d_ff=case["d_ff"], d_kv=64, num_heads=case["heads"],
        num_layers=case["layers"], feed_forward_proj="gated-gelu", attn_implementation="eager",
    )  # fmt: skip
    model = T5EncoderModel(config).eval()
    tensors = {name: value for name, value in model.state_dict().items() if name != "encoder.embed_tokens.weight"}
    for name, value in tensors.items():
        value.copy_(torch.from_numpy(rounded(llama_cpp_name(name), value.numpy(), case["format"])))
    ids = torch.randint(0, config.vocab_size, (1, case["tokens"]))
    inputs = {"x": model.shared(ids), "mask": torch.ones(1, case["tokens"])}
    expected = Encoder(model)(**inputs)
    write_values(out / "values.safetensors", {**inputs, "ids": ids}, {"output": expected})
    prefix = "t5encoder"
    metadata = {
        f"{prefix}.context_length": 512, f"{prefix}.embedding_length": config.d_model,
        f"{prefix}.feed_forward_length": config.d_ff, f"{prefix}.block_count": config.num_layers,
        f"{prefix}.attention.head_count": config.num_heads, f"{prefix}.attention.key_length": config.d_kv,
        f"{prefix}.attention.value_length": config.d_kv,
        f"{prefix}.attention.layer_norm_rms_epsilon": config.layer_norm_epsilon,
        f"{prefix}.attention.relative_buckets_count": config.relative_attention_num_buckets,
    }  # fmt: skip
    named = {llama_cpp_name(name): value.numpy() for name, value in tensors.items()}
    write_weights(out / "weights.gguf", prefix, named, case["format"], metadata)
    variants = {"decomposed": Encoder(model), "contributed": FusedEncoder(model, case["tokens"])}
    return graph.variants(out, variants, inputs, case["format"], expected)
