//! The second U-Net's GPU program against its burn module on the same, dequantised weights, on a device with WebGPU's
//! default limits and no optional feature.

mod efficient_unet;

use efficient_unet::{CASES, Fixture, SIZE, unet::relative_error};
use imagen_web::efficient_unet::{EfficientUNet, plan};
use imagen_web::gpu::Device;
use imagen_web::gpu::plan::{PlanBuilder, Shape};
use imagen_web::weights::{BlockFormat, WeightIndex};
use std::sync::{Arc, LazyLock};

static DEVICE: LazyLock<Arc<Device>> =
    LazyLock::new(|| pollster::block_on(Device::with_default_limits()).expect("a Vulkan driver (lavapipe will do)"));

/// What the GPU program predicts, planar.
async fn predict(fixture: &Fixture, model: &EfficientUNet, format: BlockFormat) -> Vec<f32> {
    let mut weights = fixture.weights(format);
    let mut b = PlanBuilder::for_device(&WeightIndex::from(&weights), &DEVICE);
    let planar = Shape { batch: 2, height: 3, width: SIZE as u32, channels: SIZE as u32 };
    let x = b.input("x", planar).unwrap();
    let low = fixture.low().map(|_| b.input("low", planar).unwrap());
    let packed = b.pack(x, low, 1, 1).unwrap();
    let beside = low.map(|low| b.pack(low, None, 1, 1).unwrap());
    let out = plan::build(&mut b, &fixture.config, packed, beside).unwrap();
    b.output("out", out);
    let description = b.finish().unwrap();
    let uploaded = description.upload(&DEVICE, &mut weights).await.unwrap();
    let program = description.compile(&DEVICE, &uploaded, &mut |_, _| ()).await.unwrap();
    program.write("x", &fixture.x()).unwrap();
    if let Some(low) = fixture.low() {
        program.write("low", &low).unwrap();
    }
    let conditions = fixture.conditions(model);
    program.write(plan::TIME, &conditions.time.into_data().try_into_vec::<f32>().unwrap()).unwrap();
    program.write(plan::TOKENS, &conditions.tokens.into_data().try_into_vec::<f32>().unwrap()).unwrap();
    program.run("step").unwrap();
    let out = program.read("out").await.unwrap();
    let pixels = SIZE * SIZE;
    let value = |at: usize| out[(at / (3 * pixels) * pixels + at % pixels) * 3 + at / pixels % 3];
    (0..out.len()).map(value).collect()
}

#[test]
fn one_step_is_the_modules() {
    for name in CASES {
        let fixture = Fixture::open(name);
        for format in [BlockFormat::F32, BlockFormat::F16, BlockFormat::Q8_0] {
            let model = fixture.model(format);
            let actual = pollster::block_on(predict(&fixture, &model, format));
            let error = relative_error(&actual, &fixture.predict(&model));
            println!("{name}, {format}: relative error {error:.2e}");
            assert!(error <= 3e-3, "{name}, {format}: {error}");
        }
    }
}
