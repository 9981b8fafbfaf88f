//! Noise-conditioning augmentation (Cascaded Diffusion Models, 2106.15282): the low-resolution picture that a
//! super-resolution stage sees is made noisy to a level that the stage is told.

use super::error::expect_length;
use super::{DiffusionError, Schedule};

/// x ← √ᾱ·x + √(1 − ᾱ)·noise at a training timestep `level`. Level 0 means none: x stays as it is.
///
/// # Errors
/// Where the level is beyond the schedule or the noise has another length than x.
pub fn augment(schedule: &Schedule, level: u32, x: &mut [f32], noise: &[f32]) -> Result<(), DiffusionError> {
    if level == 0 {
        return Ok(());
    }
    let alphas = schedule.alphas_cumprod();
    let Some(&alpha_bar) = alphas.get(level as usize) else {
        return Err(DiffusionError::Level { level, max: alphas.len() as u32 - 1 });
    };
    expect_length("the augmentation's noise", x.len(), noise.len())?;
    let (signal, deviation) = (alpha_bar.sqrt(), (1.0 - alpha_bar).sqrt());
    x.iter_mut().zip(noise).for_each(|(x, &noise)| *x = signal * *x + deviation * noise);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_mix_and_zero_is_none() {
        let config = serde_json::from_str(r#"{"kind":"squaredcos_cap_v2","prediction":"epsilon"}"#).unwrap();
        let schedule = Schedule::new(&config).unwrap();
        let mut x = [0.5, -1.0];
        assert_eq!(augment(&schedule, 0, &mut x, &[]), Ok(()));
        assert_eq!(x, [0.5, -1.0]);
        assert_eq!(augment(&schedule, 250, &mut x, &[1.0, 0.0]), Ok(()));
        let alpha_bar = schedule.alphas_cumprod()[250];
        assert_eq!(x, [alpha_bar.sqrt() * 0.5 + (1.0 - alpha_bar).sqrt(), -alpha_bar.sqrt()]);
        assert!(augment(&schedule, 250, &mut x, &[1.0]).is_err());
        assert_eq!(augment(&schedule, 1000, &mut x, &[0.0; 2]), Err(DiffusionError::Level { level: 1000, max: 999 }));
    }
}
