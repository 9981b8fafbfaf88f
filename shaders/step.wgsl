// What changes from one sampling step to the next (`StepParams` in src/gpu/plan/step.rs, same order).
struct Step {
    alpha: f32,
    sigma: f32,
    keep: f32,
    denoised: f32,
    previous: f32,
    noise_kind: u32,
    noise_a: f32,
    noise_b: f32,
    guidance: f32,
    threshold_kind: u32,
    threshold_quantile: f32,
    threshold_max: f32,
    padding: vec4<u32>,
}
