//! What a sampling step costs on the CPU beside the network: drawing its noise, and, on the CPU path, the update.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use imagen_web::diffusion::noise::{Draw, normal};
use imagen_web::diffusion::{Prediction, Sampler, Schedule, ScheduleConfig, Steps, Thresholding, update};
use std::hint::black_box;

fn sampler(criterion: &mut Criterion) {
    let config = r#"{"kind": "squaredcos_cap_v2", "prediction": "epsilon"}"#;
    let config: ScheduleConfig = serde_json::from_str(config).expect("a configuration");
    let schedule = Schedule::new(&config).expect("a schedule");
    let steps = Sampler::Ddpm.steps(&schedule, Steps::Count(20)).expect("a grid of 20 steps");
    for size in [64usize, 256, 1024] {
        let count = 3 * size * size;
        let mut noise = vec![0.0; count];
        let mut group = criterion.benchmark_group("noise");
        group.sample_size(10).throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| normal(7, 0, Draw::Step(0), 0, black_box(&mut noise)));
        });
        group.finish();
        let mut group = criterion.benchmark_group("update with dynamic thresholding");
        group.sample_size(10).throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            let (mut x, mut previous) = (noise.clone(), Vec::new());
            let thresholding = Thresholding::Dynamic { quantile: 0.95, max: 1.5 };
            bencher.iter(|| {
                x.copy_from_slice(&noise);
                update(
                    &steps[10],
                    Prediction::Epsilon,
                    thresholding,
                    &mut x,
                    &mut previous,
                    black_box(&noise),
                    None,
                    Some(&noise),
                    1,
                )
                .expect("arrays of one size");
            });
        });
        group.finish();
    }
}

criterion_group!(benches, sampler);
criterion_main!(benches);
