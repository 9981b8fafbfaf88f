"""The adapters that `imagen finetune` writes, opened by diffusers and peft, against the model that `imagen train export` merges them into.

    python tests/reference/lora.py target/debug/imagen

Fine-tunes tests/browser/tiny for some updates with adapters on all kinds of layers. diffusers loads the file into its own U-Net and fuses
it: every weight has to be that of the merged export, and the outputs of both have to agree. Says how far they are apart.
"""
import json, os, subprocess, sys, tempfile
import numpy as np, torch
from diffusers import UNet2DConditionModel
from gguf import GGUFReader
from PIL import Image

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from unet import stored_weights

TINY = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'browser', 'tiny')


def net(path):
    config = json.loads(GGUFReader(path).fields['imagen.unet.config'].contents())
    made = UNet2DConditionModel(**{k: v for k, v in config.items() if k != 'patch_size' and not k.startswith('_')}).float().eval()
    stored_weights(made, path)
    return made, config


@torch.no_grad()
def main():
    program = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        run, merged, pictures = (os.path.join(folder, name) for name in ('run', 'merged', 'pictures'))
        os.makedirs(pictures)
        for i in range(3):
            Image.fromarray(np.random.default_rng(i).integers(0, 256, (16, 16, 3), np.uint8)).save(f'{pictures}/{i}.png')
            open(f'{pictures}/{i}.txt', 'w').write('a red house')
        subprocess.run([program, 'finetune', '--model', TINY, '--pictures', pictures, '-o', run, '--steps', '20', '--rate', '2e-2', '--sheet-every', '0',
                        '--prior-share', '0', '--lora-rank', '3', '--lora-scale', '0.5', '--lora-layers', 'attention,linear,convolution'], check=True)
        subprocess.run([program, 'train', 'export', run, '-o', merged, '--quantize', 'f32'], check=True)
        theirs, config = net(os.path.join(TINY, 'unet.gguf'))
        ours, _ = net(os.path.join(merged, 'unet.gguf'))
        torch.manual_seed(0)
        inputs = torch.randn(2, config['in_channels'], 8, 8), torch.tensor([700., 40.]), torch.randn(2, 40, config['encoder_hid_dim'])
        before, expected = theirs(*inputs).sample, ours(*inputs).sample
        theirs.load_lora_adapter(os.path.join(run, 'adapter.safetensors'), prefix='unet')
        loaded = theirs(*inputs).sample
        theirs.fuse_lora(); theirs.unload_lora()
        fused, wanted = theirs.state_dict(), ours.state_dict()
        assert fused.keys() == wanted.keys()
        worst = max((fused[name] - wanted[name]).abs().max().item() for name in wanted)
        apart, changed = (expected - loaded).abs().max().item(), (expected - before).abs().max().item()
        print(f'weights at most {worst:.1e} apart, outputs {apart:.1e}; the adapters change the outputs by {changed:.1e}')
        assert worst < 2e-6 and apart < 1e-4 and changed > 100 * apart


if __name__ == '__main__': main()
