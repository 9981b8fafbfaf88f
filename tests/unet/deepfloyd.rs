//! DeepFloyd IF's configurations, as their published parameters describe them.

use imagen_web::unet::UNetConfig;
use serde_json::json;
use std::f64::consts::SQRT_2;

/// Stage I at 64×64: three residual blocks a level, attention in all levels but the first.
pub fn first_stage(channels: [usize; 4]) -> UNetConfig {
    let config = json!({
        "in_channels": 3, "out_channels": 6, "act_fn": "gelu", "block_out_channels": channels, "layers_per_block": 3,
        "attention_head_dim": 64, "cross_attention_dim": channels[3], "cross_attention_norm": "group_norm",
        "encoder_hid_dim": 4096, "encoder_hid_dim_type": "text_proj", "addition_embed_type": "text",
        "resnet_time_scale_shift": "scale_shift", "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        "down_block_types": ["ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D", "SimpleCrossAttnDownBlock2D",
            "SimpleCrossAttnDownBlock2D"],
        "up_block_types": ["SimpleCrossAttnUpBlock2D", "SimpleCrossAttnUpBlock2D", "SimpleCrossAttnUpBlock2D",
            "ResnetUpsampleBlock2D"],
    });
    UNetConfig::from_json(&config.to_string()).unwrap()
}

/// Stage II at 256×256: attention to the text alone in the last two levels.
pub fn second_stage(channels: [usize; 5]) -> UNetConfig {
    let config = json!({
        "in_channels": 6, "out_channels": 6, "act_fn": "gelu", "block_out_channels": channels,
        "layers_per_block": [2, 2, 3, 5, 5], "attention_head_dim": 64, "cross_attention_dim": channels[4],
        "cross_attention_norm": "group_norm", "encoder_hid_dim": 4096, "encoder_hid_dim_type": "text_proj",
        "addition_embed_type": "text", "class_embed_type": "timestep", "resnet_time_scale_shift": "scale_shift",
        "resnet_skip_time_act": true, "resnet_out_scale_factor": SQRT_2, "mid_block_scale_factor": SQRT_2,
        "time_embedding_act_fn": "gelu", "time_embedding_dim": 1280, "only_cross_attention": true,
        "mid_block_only_cross_attention": true, "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        "down_block_types": ["ResnetDownsampleBlock2D", "ResnetDownsampleBlock2D", "ResnetDownsampleBlock2D",
            "SimpleCrossAttnDownBlock2D", "SimpleCrossAttnDownBlock2D"],
        "up_block_types": ["SimpleCrossAttnUpBlock2D", "SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D",
            "ResnetUpsampleBlock2D", "ResnetUpsampleBlock2D"],
    });
    UNetConfig::from_json(&config.to_string()).unwrap()
}
