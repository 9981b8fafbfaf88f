//! The U-Net: `UNet2DConditionModel` of diffusers as DeepFloyd IF configures it.
