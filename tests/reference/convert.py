"""Writes tests/fixtures/huggingface: a cascade of tiny random networks as transformers and diffusers save them, and
tests/fixtures/converted.safetensors: what the `gguf` package stores for each tensor at Q8_0.

    python tests/reference/convert.py
"""
import json, os, shutil
import gguf
import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from gguf import GGMLQuantizationType as T, quants
from safetensors.numpy import save_file
from transformers import T5Config, T5EncoderModel

OUT = 'tests/fixtures/huggingface'
COMMON = dict(act_fn='gelu', resnet_time_scale_shift='scale_shift', addition_embed_type='text', addition_embed_type_num_heads=2,
              norm_num_groups=4, layers_per_block=1, block_out_channels=(8, 16))
STAGES = {
    'unet': dict(COMMON, sample_size=8, in_channels=12, out_channels=12, cross_attention_dim=32, encoder_hid_dim=32, encoder_hid_dim_type='text_proj',
                 attention_head_dim=8, cross_attention_norm='group_norm', mid_block_type='UNetMidBlock2DSimpleCrossAttn',
                 down_block_types=('ResnetDownsampleBlock2D', 'SimpleCrossAttnDownBlock2D'), up_block_types=('SimpleCrossAttnUpBlock2D', 'ResnetUpsampleBlock2D')),
    'super_res_1': dict(COMMON | dict(block_out_channels=(8,)), sample_size=32, in_channels=6, out_channels=6, cross_attention_dim=32, class_embed_type='timestep', mid_block_type='UNetMidBlock2D',
                        down_block_types=('ResnetDownsampleBlock2D',), up_block_types=('ResnetUpsampleBlock2D',)),
}
NAMES = {'layer.0.layer_norm': 'attn_norm', 'layer.1.layer_norm': 'ffn_norm', 'layer.0.SelfAttention.relative_attention_bias': 'attn_rel_b',
         'layer.1.DenseReluDense.wi_0': 'ffn_gate', 'layer.1.DenseReluDense.wi_1': 'ffn_up', 'layer.1.DenseReluDense.wo': 'ffn_down',
         **{f'layer.0.SelfAttention.{k}': f'attn_{k}' for k in 'qkvo'}}


def name_in_gguf(name):
    """As llama.cpp's converter writes it."""
    if name == 'shared.weight': return 'token_embd.weight'
    if name == 'encoder.final_layer_norm.weight': return 'enc.output_norm.weight'
    block, rest = name.removeprefix('encoder.block.').split('.', 1)
    return f'enc.blk.{block}.{NAMES[rest.removesuffix(".weight")]}.weight'


def stored(name, values):
    v = values.astype(np.float32)
    if v.ndim == 4: v = np.ascontiguousarray(v.transpose(0, 2, 3, 1).reshape(v.shape[0], -1))
    if v.ndim != 2 or 'attn_rel_b' in name or not name.endswith('weight'): kind = T.F32
    elif name == 'token_embd.weight' or v.shape[1] % 32: kind = T.F16
    else: kind = T.Q8_0
    return np.ascontiguousarray(quants.quantize(v, kind)).view(np.uint8).ravel()


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    torch.manual_seed(0)
    expected = {}
    config = T5Config(vocab_size=50, d_model=32, d_ff=64, d_kv=8, num_heads=2, num_layers=2, feed_forward_proj='gated-gelu')
    t5 = T5EncoderModel(config).bfloat16()
    t5.save_pretrained(f'{OUT}/text_encoder', max_shard_size='24KB')
    for name, v in t5.state_dict().items():
        if name != 'encoder.embed_tokens.weight': expected['text_encoder.' + name_in_gguf(name)] = stored(name_in_gguf(name), v.float().numpy())
    for folder, options in STAGES.items():
        net = UNet2DConditionModel(**options)
        for v in net.parameters(): torch.nn.init.normal_(v.data, std=.1)
        net = net.half() if folder == 'unet' else net
        net.save_pretrained(f'{OUT}/{folder}')
        for name, v in net.state_dict().items(): expected[f'{folder}.{name}'] = stored(name, v.float().numpy())
    DDPMScheduler(beta_schedule='squaredcos_cap_v2', prediction_type='epsilon', variance_type='learned_range', thresholding=True, clip_sample=False,
                  dynamic_thresholding_ratio=.95, sample_max_value=1.5).save_pretrained(f'{OUT}/scheduler')
    save_file(expected, 'tests/fixtures/converted.safetensors')
    os.chmod('tests/fixtures/converted.safetensors', 0o644)


main()
