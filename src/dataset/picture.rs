//! A scene as a picture: backdrop, things from back to front with what they stand on, and the weather over all.

use super::attributes::{Place, Time};
use super::kind::{Habit, Kind};
use super::layout::Item;
use super::paint::{Pen, Rgb};
use super::random::{Purpose, Random};
use super::scene::Scene;
use super::{DatasetError, SIZES, backdrop, things};
use crate::image::Picture;
use tiny_skia::{Pixmap, Transform};

/// Draws a scene, `size` pixels on each side. Every size shows the same scene.
///
/// # Errors
/// [`DatasetError::Size`] where the size is not one of [`SIZES`].
pub fn render(scene: &Scene, size: u32) -> Result<Picture, DatasetError> {
    let canvas = SIZES.contains(&size).then(|| Pixmap::new(size, size)).flatten();
    let mut canvas = canvas.ok_or(DatasetError::Size(size))?;
    let mut whole = Pen::new(&mut canvas);
    let mut pen = whole.lit_from(scene.light - 0.5);
    backdrop::paint(&mut pen, scene, &mut Random::new(scene.seed, scene.index, Purpose::Backdrop));
    let items = || scene.items.iter();
    // Islands may touch: all foam is below them, and they are below the things.
    items().for_each(|item| foam(&mut pen, scene, item));
    items().for_each(|item| stand(&mut pen, scene, item));
    for item in items() {
        thing(&mut pen, scene, item);
        wake(&mut pen, scene, item);
    }
    backdrop::fall(&mut pen, scene.weather, &mut Random::new(scene.seed, scene.index, Purpose::Weather));
    // The sky left no pixel transparent.
    let mut rgb = Vec::with_capacity(canvas.data().len() / 4 * 3);
    canvas.data().chunks_exact(4).for_each(|pixel| rgb.extend_from_slice(&pixel[..3]));
    Ok(Picture { width: size, height: size, rgb })
}

fn thing(pen: &mut Pen<'_>, scene: &Scene, item: &Item) {
    let Item { kind, x, y, height, tilt, .. } = *item;
    let side = if item.flipped { -height } else { height };
    let place = Transform::from_translate(x, y)
        .pre_concat(Transform::from_rotate_at(tilt, 0.0, -height / 2.0))
        .pre_scale(side, height);
    // In space it is always dark, but a rocket has no lamps.
    let lamps = scene.time == Time::Night && kind != Kind::Rocket;
    let mut pen = pen.tinted(backdrop::on_things(scene));
    things::draw(&mut pen.at(place), kind, item.colour.into(), lamps);
}

fn is_afloat(scene: &Scene, kind: Kind) -> bool {
    scene.place == Place::Sea && kind.habit() == Habit::Floats
}

const fn is_aloft(kind: Kind) -> bool {
    matches!(kind.habit(), Habit::Flies | Habit::Swims)
}

/// Around an island.
fn foam(pen: &mut Pen<'_>, scene: &Scene, item: &Item) {
    let Item { kind, x, y, height, .. } = *item;
    if scene.place == Place::Sea && !is_aloft(kind) && !is_afloat(scene, kind) {
        let foam = Rgb(232.0, 246.0, 252.0).flat().alpha(0.35);
        pen.tinted(backdrop::on_ground(scene)).oval(x, y + 0.016, kind.width() * height * 0.62 + 0.062, 0.062, foam);
    }
}

/// What a thing stands on, and its shadow.
fn stand(pen: &mut Pen<'_>, scene: &Scene, item: &Item) {
    let Item { kind, x, y, .. } = *item;
    if is_aloft(kind) {
        return;
    }
    let width = kind.width() * item.height;
    let away = -pen.bright();
    let mut ground = pen.tinted(backdrop::on_ground(scene));
    match scene.place {
        Place::Sea if is_afloat(scene, kind) => {
            let shadow = Rgb(20.0, 60.0, 110.0).flat().alpha(0.45);
            return ground.oval(x, y + 0.012, width * 0.5, 0.022, shadow);
        }
        Place::Sea => {
            let (sand, grass) = (Rgb(236.0, 210.0, 150.0), Rgb(140.0, 194.0, 98.0));
            ground.oval(x, y + 0.01, width * 0.62 + 0.05, 0.055, sand.flat().below(Rgb(200.0, 164.0, 104.0)));
            ground.oval(x, y - 0.002, width * 0.55 + 0.03, 0.036, grass.flat().below(Rgb(100.0, 160.0, 80.0)));
        }
        Place::Space => {
            let rock = Rgb(150.0, 140.0, 170.0);
            ground.oval(x, y + 0.02, width * 0.6 + 0.03, 0.05, rock.flat().shade(0.4));
            for (dx, dy, radius) in [(-0.42, 0.02, 0.022), (0.30, 0.035, 0.030), (0.48, 0.012, 0.016)] {
                let crater = rock.dark(0.3).flat().alpha(0.7);
                ground.oval(x + dx * width, y + dy, radius, radius * 0.4, crater);
            }
        }
        _ => {}
    }
    let place = Transform::from_translate(x + 0.02 * away, y + 0.004).pre_scale(width * 0.62, 0.035);
    ground.at(place).fade(0.0, 0.0, 1.0, &[(0.0, 0.42), (1.0, 0.0)], Rgb(20.0, 20.0, 50.0));
}

/// The water in front of what floats.
fn wake(pen: &mut Pen<'_>, scene: &Scene, item: &Item) {
    if !is_afloat(scene, item.kind) {
        return;
    }
    let mut pen = pen.tinted(backdrop::on_ground(scene));
    let (x, width) = (item.x, item.kind.width() * item.height);
    for row in 0..3 {
        let half = width * (0.56 - 0.1 * row as f32);
        let y = item.y + 0.008 + row as f32 * 0.02;
        let (left, right, before, behind) = (x - half, x + half, x - half / 2.0, x + half / 2.0);
        let (crest, trough) = (y - 0.016, y + 0.014);
        let wave = format!("M{left} {y} Q{before} {crest} {x} {y} Q{behind} {trough} {right} {y}");
        pen.faint_stroke(&wave, Rgb(232.0, 246.0, 252.0), 0.007, 0.85);
    }
}
