"""A chain of DeepFloyd IF pipelines with small random networks, as diffusers saves and runs it, for tests/deepfloyd.rs.

    python tests/reference/deepfloyd.py

Writes tests/fixtures/deepfloyd/{IF-I,IF-II} (half precision, as the published variant) and expected.safetensors: the
pictures of IFPipeline and IFSuperResolutionPipeline in f32, stage by stage, for a few requests. All noise is that of the
crate's generator, drawn in the order in which the pipelines ask for it.
"""
import shutil
from pathlib import Path

import torch
from diffusers import DDPMScheduler, IFPipeline, IFSuperResolutionPipeline, UNet2DConditionModel
from diffusers.pipelines.deepfloyd_if import fast27_timesteps, pipeline_if, pipeline_if_superresolution
from diffusers.schedulers import scheduling_ddpm
from diffusers.training_utils import _collate_lora_metadata
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from cascade import AUGMENTATION, INITIAL, STEP, normal

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
OUT = FIXTURES / "deepfloyd"
PROMPT, SEED = "  A Red HOUSE on a hill ", 11
COMMON = dict(
    act_fn="gelu", addition_embed_type="text", addition_embed_type_num_heads=8, attention_head_dim=8,
    cross_attention_dim=32, cross_attention_norm="group_norm", encoder_hid_dim=32, encoder_hid_dim_type="text_proj",
    layers_per_block=1, mid_block_type="UNetMidBlock2DSimpleCrossAttn", norm_num_groups=8, out_channels=6,
    resnet_time_scale_shift="scale_shift", block_out_channels=(16, 32),
    down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
    up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
)  # fmt: skip
FIRST = dict(COMMON, sample_size=16, in_channels=3)
SECOND = dict(
    COMMON, sample_size=32, in_channels=6, class_embed_type="timestep", mid_block_only_cross_attention=True,
    mid_block_scale_factor=1.4142135, only_cross_attention=True, resnet_out_scale_factor=1.4142135,
    resnet_skip_time_act=True, time_embedding_act_fn="gelu", time_embedding_dim=48,
)  # fmt: skip


class Noise:
    """In place of `randn_tensor`: the draws of one stage, in order."""

    def __init__(self, stage, augmented):
        draws = [INITIAL, AUGMENTATION] if augmented else [INITIAL]
        self.stage, self.draws = stage, draws + list(range(STEP, STEP + 1000))

    def __call__(self, shape, **_):
        draw = self.draws.pop(0)
        return normal(SEED, self.stage, draw, 0, shape[1] * shape[2] * shape[3]).reshape(shape)


def unet(options):
    net = UNet2DConditionModel(**options)
    for name, value in net.named_parameters():
        torch.nn.init.normal_(value.data, std=0.06) if value.ndim > 1 else torch.nn.init.normal_(value.data, std=0.02)
        if "norm" in name and name.endswith("weight"):
            value.data += 1
    return net.half().float().eval()


def scheduler(largest):
    return DDPMScheduler(
        beta_schedule="squaredcos_cap_v2", clip_sample=False, dynamic_thresholding_ratio=0.95, prediction_type="epsilon",
        sample_max_value=largest, thresholding=True, variance_type="learned_range",
    )  # fmt: skip


def sample(first, second, guidance, steps, **options):
    def patched(noise):
        for module in (pipeline_if, pipeline_if_superresolution, scheduling_ddpm):
            module.randn_tensor = noise

    count = steps if isinstance(steps, dict) else dict(num_inference_steps=steps)
    patched(Noise(0, False))
    low = first(PROMPT, guidance_scale=guidance[0], output_type="pt", **count, **options).images
    patched(Noise(1, True))
    high = second(image=low, prompt=PROMPT, guidance_scale=guidance[1], noise_level=250, num_inference_steps=4,
                  output_type="pt", **options).images  # fmt: skip
    return low[0], high[0]


def adapt(pipeline):
    """Random adapters of all attention layers of stage I, as diffusers' training script for LoRA saves them."""
    net = UNet2DConditionModel(**FIRST)
    targets = ["to_q", "to_k", "to_v", "to_out.0", "add_k_proj", "add_v_proj"]
    net.add_adapter(LoraConfig(r=4, lora_alpha=6, init_lora_weights="gaussian", target_modules=targets))
    layers = get_peft_model_state_dict(net)
    for value in layers.values():
        torch.nn.init.normal_(value, std=0.15)
    pipeline.save_lora_weights(
        OUT, unet_lora_layers=layers, weight_name="lora.safetensors", unet_lora_adapter_metadata=_collate_lora_metadata({"unet": net})["unet_lora_adapter_metadata"],
    )  # fmt: skip
    return layers


@torch.no_grad()
def main():
    torch.manual_seed(0)
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    tokenizer = T5Tokenizer.from_pretrained(FIXTURES / "vocabulary")
    config = T5Config(vocab_size=len(tokenizer), d_model=32, d_ff=64, d_kv=8, num_heads=2, num_layers=2, feed_forward_proj="gated-gelu")
    encoder = T5EncoderModel(config).half().float().eval()
    parts = dict(tokenizer=tokenizer, text_encoder=encoder, safety_checker=None, feature_extractor=None, watermarker=None)
    first = IFPipeline(unet=unet(FIRST), scheduler=scheduler(1.5), requires_safety_checker=False, **parts)
    noising = DDPMScheduler(beta_schedule="squaredcos_cap_v2")
    second = IFSuperResolutionPipeline(
        unet=unet(SECOND), scheduler=scheduler(1.0), image_noising_scheduler=noising, requires_safety_checker=False, **parts
    )
    expected = {}
    for name, guidance, steps, options in [
        ("plain", (1.0, 1.0), 5, {}),
        ("guided", (7.0, 4.0), 5, {}),
        ("negative", (3.0, 2.0), 5, dict(negative_prompt="A blue duck")),
        ("grid", (2.0, 1.0), dict(timesteps=fast27_timesteps), {}),
    ]:
        low, high = sample(first, second, guidance, steps, **options)
        print(name, low.abs().mean().item(), low.std().item(), high.std().item())
        expected |= {f"{name}.16": low.contiguous(), f"{name}.32": high.contiguous()}
    adapters = adapt(first)
    for scale in (1.0, 0.5):
        first.load_lora_weights(OUT / "lora.safetensors")
        first.fuse_lora(lora_scale=scale)
        low, _ = sample(first, second, (2.0, 1.0), 5)
        expected[f"lora-{scale}.16"] = low.contiguous()
        first.unfuse_lora()
        first.unload_lora_weights()
    print("lora", [(low - expected["grid.16"]).abs().mean().item() for low in [expected["lora-1.0.16"], expected["lora-0.5.16"]]], len(adapters))
    for pipeline, folder in [(first, "IF-I"), (second, "IF-II")]:
        for part in (pipeline.unet, pipeline.text_encoder):
            part.half()
        pipeline.save_pretrained(OUT / folder, variant="fp16")
        # The tokenizer is tests/fixtures/vocabulary's, and both stages carry the same text encoder.
        shutil.rmtree(OUT / folder / "tokenizer")
        if folder == "IF-II":
            shutil.rmtree(OUT / folder / "text_encoder")
    save_file(expected, OUT / "expected.safetensors")


if __name__ == "__main__":
    main()
