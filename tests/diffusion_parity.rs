//! Schedules, samplers and quantiles against diffusers and torch (fixture: tests/reference/schedulers.py).

use imagen_web::diffusion::{
    Prediction, Sampler, Schedule, ScheduleConfig, ScheduleKind, Spacing, Thresholding, Variance, scales, update,
};
use safetensors::SafeTensors;
use serde::Deserialize;

/// Relative L2 distance that a trajectory may have from diffusers'.
const BAR: f64 = 1e-5;

#[derive(Deserialize)]
struct Case {
    schedule: ScheduleConfig,
    sampler: Sampler,
    count: u32,
    thresholding: Thresholding,
    /// The first timesteps, at most 40.
    timesteps: Vec<u32>,
    /// The steps after which x is in the fixture.
    kept: Vec<usize>,
}

struct Fixture {
    bytes: Vec<u8>,
}

impl Fixture {
    fn open() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/schedulers.safetensors");
        Self { bytes: std::fs::read(path).unwrap() }
    }

    fn values(&self, name: &str) -> Vec<f32> {
        let tensors = SafeTensors::deserialize(&self.bytes).unwrap();
        let data = tensors.tensor(name).unwrap().data().to_vec();
        data.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    }

    fn cases(&self) -> Vec<Case> {
        let (_, metadata) = SafeTensors::read_metadata(&self.bytes).unwrap();
        serde_json::from_str(&metadata.metadata().as_ref().unwrap()["cases"]).unwrap()
    }
}

/// The fake model of the script, and its variance channels.
fn model(x: &[f32], timestep: f32) -> (Vec<f32>, Vec<f32>) {
    let t = f64::from(timestep);
    let (a, b) = ((0.9 * (t / 1000.0).cos()) as f32, (0.1 * t / 1000.0) as f32);
    (x.iter().map(|x| a * x + b).collect(), x.iter().map(|x| x.clamp(-1.0, 1.0)).collect())
}

/// Every x of a run.
fn run(case: &Case, noise: &[f32]) -> Vec<Vec<f32>> {
    const IMAGES: usize = 2;
    let schedule = Schedule::new(&case.schedule).unwrap();
    let steps = case.sampler.steps(&schedule, case.count).unwrap();
    let told = steps.iter().take(40).map(|step| step.timestep as u32).collect::<Vec<_>>();
    assert_eq!(told, case.timesteps, "{} {} {:?}", case.sampler, case.count, case.schedule);

    let rows = noise.chunks_exact(IMAGES * 3 * 3 * 3).collect::<Vec<_>>();
    let mut x = rows[rows.len() - 1].to_vec();
    let mut previous = Vec::new();
    let advance = |(step, row): (_, &&[f32])| {
        let step: &imagen_web::diffusion::Step = step;
        let (out, variance) = model(&x, step.timestep);
        let prediction = case.schedule.prediction;
        let (variance, noise) = (Some(&variance[..]), Some(&row[..]));
        update(step, prediction, case.thresholding, &mut x, &mut previous, &out, variance, noise, IMAGES).unwrap();
        x.clone()
    };
    steps.iter().zip(rows[..100].iter().cycle()).map(advance).collect()
}

fn relative_l2(actual: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(actual.len(), expected.len());
    let square = |value: f64| value * value;
    let distance = actual.iter().zip(expected).map(|(&a, &e)| square(f64::from(a) - f64::from(e))).sum::<f64>();
    (distance / expected.iter().map(|&e| square(f64::from(e))).sum::<f64>()).sqrt()
}

#[test]
fn trajectories_match_diffusers() {
    let fixture = Fixture::open();
    let noise = fixture.values("noise");
    let mut failed = Vec::new();
    for (i, case) in fixture.cases().iter().enumerate() {
        let xs = run(case, &noise);
        let expected = fixture.values(&format!("case.{i}"));
        let expected = expected.chunks_exact(xs[0].len());
        let errors = case.kept.iter().zip(expected).map(|(&k, expected)| relative_l2(&xs[k], expected));
        let worst = errors.fold(0.0, f64::max);
        let ScheduleConfig { kind, prediction, variance, spacing, .. } = &case.schedule;
        let name = format!(
            "{} {:>3} steps, {kind:?} {prediction:?} {variance:?} {spacing:?}, {:?}",
            case.sampler, case.count, case.thresholding
        );
        println!("{worst:.1e}  {name}");
        if worst.is_nan() || worst > BAR {
            failed.push(format!("{worst:.2e}  {name}"));
        }
    }
    assert!(failed.is_empty(), "beyond the bar:\n{}", failed.join("\n"));
}

#[test]
fn schedules_match_diffusers() {
    let fixture = Fixture::open();
    for (kind, name) in [
        (ScheduleKind::Linear, "linear"),
        (ScheduleKind::ScaledLinear, "scaled_linear"),
        (ScheduleKind::SquaredCosCapV2, "squaredcos_cap_v2"),
    ] {
        let config = ScheduleConfig {
            kind,
            train_steps: 1000,
            beta_start: 1e-4,
            beta_end: 0.02,
            prediction: Prediction::Epsilon,
            variance: Variance::FixedSmall,
            spacing: Spacing::Trailing,
            steps_offset: 0,
        };
        let schedule = Schedule::new(&config).unwrap();
        let expected = fixture.values(&format!("alphas_cumprod.{name}"));
        assert_eq!(schedule.alphas_cumprod().len(), expected.len());
        let pairs = schedule.alphas_cumprod().iter().zip(&expected);
        let worst = pairs.map(|(a, e)| (a / e - 1.0).abs()).fold(0.0, f32::max);
        let different = schedule.alphas_cumprod().iter().zip(&expected).filter(|(a, e)| a != e).count();
        println!("{name}: {worst:.1e} relative, {different} of 1000 differ in bits");
        assert!(worst <= 1e-6, "{name}: {worst:e}");
    }
}

#[test]
fn quantiles_match_torch() {
    let fixture = Fixture::open();
    let x = fixture.values("quantile.x");
    for quantile in ["0.0", "0.5", "0.9", "0.95", "0.995", "1.0"] {
        let expected = fixture.values(&format!("quantile.{quantile}"));
        let thresholding = Thresholding::Dynamic { quantile: quantile.parse().unwrap(), max: f32::MAX };
        for (actual, expected) in scales(thresholding, &x, 2).into_iter().zip(expected) {
            assert!((actual / expected.max(1.0) - 1.0).abs() <= 2e-7, "{quantile}: {actual} {expected}");
        }
    }
}
