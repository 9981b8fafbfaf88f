"""Parity fixtures of the U-Net: outputs of diffusers' UNet2DConditionModel.

    python tests/reference/unet.py [CASE ...]

Writes tests/fixtures/unet_CASE.safetensors: the configuration as metadata, timestep, class labels and the output.
Inputs and random weights are not stored: value i of a tensor is an integer hash of its name and i (hashes.py),
which the Rust tests compute alike. The storybook cases read the weights of models/storybook/*.gguf, dequantised.
"""
import json, os, sys
import numpy as np, torch, torch.nn.functional as F
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hashes import uniform

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, '..', 'fixtures')
STORYBOOK = os.path.join(HERE, '..', '..', 'models', 'storybook')

COMMON = dict(
    act_fn='gelu', resnet_time_scale_shift='scale_shift', addition_embed_type='text', encoder_hid_dim=48,
    encoder_hid_dim_type='text_proj', cross_attention_dim=32, mid_block_type='UNetMidBlock2DSimpleCrossAttn',
)
SECOND = dict(
    COMMON, in_channels=6, out_channels=6, norm_num_groups=8, block_out_channels=[16, 24, 32],
    layers_per_block=[1, 2, 1], attention_head_dim=8, addition_embed_type_num_heads=6, class_embed_type='timestep',
    time_embedding_act_fn='gelu', time_embedding_dim=40, resnet_skip_time_act=True, resnet_out_scale_factor=1.41421,
    mid_block_scale_factor=1.41421, cross_attention_norm='group_norm',
    down_block_types=['ResnetDownsampleBlock2D', 'SimpleCrossAttnDownBlock2D', 'SimpleCrossAttnDownBlock2D'],
    up_block_types=['SimpleCrossAttnUpBlock2D', 'SimpleCrossAttnUpBlock2D', 'ResnetUpsampleBlock2D'],
)
CASES = {
    # DeepFloyd IF stage I in small.
    'first': dict(
        COMMON, in_channels=3, out_channels=6, norm_num_groups=8, block_out_channels=[16, 24, 32, 48],
        layers_per_block=2, attention_head_dim=8, addition_embed_type_num_heads=4, cross_attention_norm='group_norm',
        down_block_types=['ResnetDownsampleBlock2D'] + ['SimpleCrossAttnDownBlock2D'] * 3,
        up_block_types=['SimpleCrossAttnUpBlock2D'] * 3 + ['ResnetUpsampleBlock2D'],
    ),
    # Stage II in small: the noise level, a learned variance, and attention to the text alone or not.
    'second': dict(SECOND, only_cross_attention=True),
    'second_self': dict(SECOND, only_cross_attention=False, mid_block_only_cross_attention=True),
    # Everything else that a configuration may say.
    'other': dict(
        in_channels=3, out_channels=3, norm_num_groups=4, block_out_channels=[16, 32], layers_per_block=1,
        act_fn='silu', timestep_post_act='silu', resnet_time_scale_shift='default', cross_attention_dim=32,
        cross_attention_norm='layer_norm', attention_head_dim=[8, 16], only_cross_attention=[True, False],
        mid_block_type='UNetMidBlock2DSimpleCrossAttn', conv_in_kernel=5, conv_out_kernel=1, center_input_sample=True,
        flip_sin_to_cos=False, freq_shift=1, norm_eps=1e-6, addition_embed_type='text', addition_embed_type_num_heads=2,
        down_block_types=['ResnetDownsampleBlock2D', 'SimpleCrossAttnDownBlock2D'],
        up_block_types=['SimpleCrossAttnUpBlock2D', 'ResnetUpsampleBlock2D'],
    ),
    # No text at all, an odd patch, the plain middle.
    'plain': dict(
        in_channels=27, out_channels=27, patch_size=3, norm_num_groups=4, block_out_channels=[16, 24],
        layers_per_block=1, act_fn='relu', resnet_time_scale_shift='scale_shift', mid_block_type='UNetMidBlock2D',
        cross_attention_dim=16, resnet_skip_time_act=True, mid_block_scale_factor=2.0, conv_in_kernel=1,
        down_block_types=['ResnetDownsampleBlock2D', 'ResnetDownsampleBlock2D'],
        up_block_types=['ResnetUpsampleBlock2D', 'ResnetUpsampleBlock2D'],
    ),
}
# Picture size, batch, tokens.
SHAPES = {'first': (16, 2, 5), 'second': (16, 2, 7), 'second_self': (8, 1, 7), 'other': (10, 2, 3), 'plain': (18, 1, 2),
          'storybook_0': (64, 2, 40), 'storybook_1': (64, 1, 40), 'storybook_2': (64, 1, 40)}
# File of the weights in models/storybook.
STAGES = {'storybook_0': 'unet', 'storybook_1': 'super_res_1', 'storybook_2': 'super_res_2'}


def random_weights(net):
    for name, param in net.state_dict().items():
        if param.ndim >= 2:  # A convolution's rows are [out, kh * kw * in] in the file, `in` fastest.
            shape = [param.shape[i] for i in (0, 2, 3, 1)] if param.ndim == 4 else param.shape
            value = uniform(name, shape, np.sqrt(np.float32(3) / np.float32(param[0].numel())))
            if param.ndim == 4: value = value.permute(0, 3, 1, 2)
        elif name.endswith('.bias'): value = uniform(name, param.shape, 0.1)
        else: value = uniform(name, param.shape, 0.25, 1.0)
        param.copy_(value)


def stored_weights(net, path):
    from gguf import GGUFReader, dequantize
    stored = {t.name: torch.from_numpy(dequantize(t.data, t.tensor_type).copy()) for t in GGUFReader(path).tensors}
    for name, param in net.state_dict().items():
        value = stored[name]
        if param.ndim == 4:  # Rows [out, kh * kw * in], `in` fastest.
            out, channels, height, width = param.shape
            value = value.reshape(out, height, width, channels).permute(0, 3, 1, 2)
        param.copy_(value.reshape(param.shape))


def stage(name):
    from gguf import GGUFReader
    path = os.path.join(STORYBOOK, STAGES[name] + '.gguf')
    return path, json.loads(GGUFReader(path).fields['imagen.unet.config'].contents())


@torch.no_grad()
def make(name):
    path, config = stage(name) if name in STAGES else (None, CASES[name])
    options = {k: v for k, v in config.items() if k != 'patch_size' and not k.startswith('_')}
    patch = config.get('patch_size', 1)
    size, batch, tokens = SHAPES[name]
    net = UNet2DConditionModel(**options, sample_size=size // patch) if path is None else UNet2DConditionModel(**options)
    net = net.float().eval()
    if path: stored_weights(net, path)
    else: random_weights(net)
    width = config.get('encoder_hid_dim') or config.get('cross_attention_dim')
    x = uniform('x', (batch, config['in_channels'] // patch ** 2, size, size), 1.5)
    text = uniform('text', (batch, tokens, width))
    timestep = torch.tensor([721.0, 36.0][:batch])
    labels = torch.tensor([90.0, 3.0][:batch]) if config.get('class_embed_type') else None
    out = net(F.pixel_unshuffle(x, patch), timestep, text, class_labels=labels).sample
    out = F.pixel_shuffle(out, patch)
    tensors = {'timestep': timestep, 'output': out.contiguous()}
    if labels is not None: tensors['class_labels'] = labels
    meta = {'config': json.dumps(config), 'size': str(size), 'batch': str(batch), 'tokens': str(tokens)}
    save_file(tensors, os.path.join(FIXTURES, f'unet_{name}.safetensors'), meta)
    print(name, sum(p.numel() for p in net.parameters()), 'parameters, output', tuple(out.shape), 'rms', out.square().mean().sqrt().item())


if __name__ == '__main__':
    torch.set_num_threads(1)
    for name in sys.argv[1:] or [*CASES, *STAGES]: make(name)
