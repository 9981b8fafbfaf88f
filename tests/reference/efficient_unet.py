"""Parity fixtures of the second U-Net: outputs of imagen-pytorch's own classes.

    pip install imagen-pytorch==2.1.0
    python tests/reference/efficient_unet.py [CASE ...]

Writes tests/fixtures/efficient_unet_CASE.safetensors: the options as metadata, what the network is told about noise, and
its output for a text (whose end is masked) and for none. Inputs and weights are not stored: see hashes.py.
"""
import json, os, sys
import torch, transformers
from safetensors.torch import save_file

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hashes import uniform

# The package asks the network for T5's width when it is imported.
transformers.T5Config.from_pretrained = classmethod(lambda cls, name: cls(d_model=768))
from imagen_pytorch import BaseUnet64, SRUnet256, SRUnet1024, Unet

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fixtures')
SMALL = dict(text_embed_dim=20, cond_dim=24, attn_dim_head=8, attn_heads=3, max_text_len=9, attn_pool_num_latents=5)
CASES = {
    'default': (Unet, dict(SMALL, dim=16, dim_mults=(1, 2, 3))),
    'base64': (BaseUnet64, dict(SMALL, dim=16, num_resnet_blocks=2)),
    'sr256': (SRUnet256, dict(SMALL, dim=16, num_resnet_blocks=(1, 2, 1, 2), lowres_cond=True)),
    'sr1024': (SRUnet1024, dict(SMALL, dim=16, num_resnet_blocks=(2, 1, 1, 1), lowres_cond=True)),
    'unconditional': (Unet, dict(SMALL, dim=16, dim_mults=(1, 2), cond_on_text=False)),
    'other': (Unet, dict(SMALL, dim=20, dim_mults=(1, 2), num_resnet_blocks=(2, 0), attn_pool_text=False, use_global_context_attn=False,
                         final_resnet_block=False, attend_at_middle=False, scale_skip_connection=False, layer_attns=(False, True),
                         layer_attns_depth=(1, 2), ff_mult=1.7, init_cross_embed_kernel_sizes=(5, 3), final_conv_kernel_size=1,
                         num_time_tokens=3, learned_sinu_pos_emb_dim=6, init_dim=12, lowres_cond=True, cond_dim=None)),
}
TOKENS, SEEN, SIZE = 7, 5, 16


def random_weights(net):
    for name, param in net.state_dict().items():
        vector = param.squeeze() if param.ndim == 3 or name.startswith('null_text') else param
        if vector.ndim >= 2:  # A convolution's rows are [out, kh * kw * in] in the file, `in` fastest.
            shape = [vector.shape[i] for i in (0, 2, 3, 1)] if vector.ndim == 4 else vector.shape
            value = uniform(name, shape, (3 / vector[0].numel()) ** .5)
            if vector.ndim == 4: value = value.permute(0, 3, 1, 2)
        elif name.endswith('.bias'): value = uniform(name, vector.shape, 0.1)
        else: value = uniform(name, vector.shape, 0.25, 1.0)
        param.copy_(value.reshape(param.shape))


@torch.no_grad()
def make(name):
    kind, options = CASES[name]
    net = kind(**options).float().eval()
    random_weights(net)
    x, low = uniform('x', (1, 3, SIZE, SIZE), 1.5), uniform('low', (1, 3, SIZE, SIZE))
    text, mask = uniform('text', (1, TOKENS, 20)), torch.arange(TOKENS)[None] < SEEN
    log_snr, low_log_snr = torch.tensor([-1.75]), torch.tensor([4.5])
    given = dict(text_embeds=text, text_mask=mask) if net.cond_on_text else {}
    if net.lowres_cond: given |= dict(lowres_cond_img=low, lowres_noise_times=low_log_snr)
    out = torch.cat([net(x, log_snr, **given, cond_drop_prob=drop) for drop in (0., 1.)])
    config = {key: value for key, value in net._locals.items() if value is not None}
    tensors = {'log_snr': log_snr, 'low_log_snr': low_log_snr, 'output': out.contiguous()}
    save_file(tensors, os.path.join(FIXTURES, f'efficient_unet_{name}.safetensors'), {'config': json.dumps(config)})
    print(name, sum(p.numel() for p in net.parameters()), 'parameters, rms', out.square().mean().sqrt().item())


if __name__ == '__main__':
    torch.set_num_threads(1)
    for name in sys.argv[1:] or CASES: make(name)
