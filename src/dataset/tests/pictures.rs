//! Pictures: the same scene at every size, and what the metadata say of it.

use super::{Kind, Pairs, Place, Scene};
use crate::dataset::{Colour, DatasetError, render};
use crate::image::Picture;
use crate::image::resample::box_downsample;

/// Decibels between two pictures of one size, whose values are from −1 to 1.
fn psnr(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
    10.0 * (4.0 * a.len() as f64 / squares).log10()
}

fn reduced(picture: &Picture, size: usize) -> Vec<f32> {
    let side = picture.width as usize;
    box_downsample(&picture.to_planar(), [3, side, side], side / size).unwrap()
}

#[test]
fn every_size_shows_the_same_scene() {
    for index in 0..40 {
        let scene = Scene::new(23, index, Pairs::Usual);
        let [small, large] = [64, 256].map(|size| render(&scene, size).unwrap());
        let quality = psnr(&small.to_planar(), &reduced(&large, 64));
        // Pictures of two scenes are 10 dB apart.
        assert!(quality > 32.0, "{index}: {quality} dB, {}", scene.caption);
        if index < 4 {
            let quality = psnr(&large.to_planar(), &reduced(&render(&scene, 1024).unwrap(), 256));
            assert!(quality > 32.0, "{index}: {quality} dB at 1024, {}", scene.caption);
        }
    }
}

#[test]
fn only_these_sizes_are_drawn() {
    let scene = Scene::new(1, 1, Pairs::Usual);
    for size in [0, 63, 1025, u32::MAX] {
        assert!(matches!(render(&scene, size), Err(DatasetError::Size(wrong)) if wrong == size));
    }
    for size in [64, 65, 100, 333] {
        assert_eq!(render(&scene, size).unwrap().rgb.len(), (size * size * 3) as usize);
    }
}

/// How the eye sorts pixels: by hue, or where they have none by brightness. Brown is a dull orange.
fn class([r, g, b]: [f32; 3]) -> Option<Colour> {
    let (most, sum) = (r.max(g).max(b), r + g + b);
    let range = most - r.min(g).min(b);
    if range <= 50.0 {
        return if sum > 560.0 { Some(Colour::White) } else { (sum < 240.0).then_some(Colour::Black) };
    }
    let sextant = if most == r {
        (g - b) / range
    } else if most == g {
        (b - r) / range + 2.0
    } else {
        (r - g) / range + 4.0
    };
    Some(match (sextant * 60.0).rem_euclid(360.0) {
        14.0..38.0 if range < 110.0 => Colour::Brown,
        14.0..38.0 => Colour::Orange,
        38.0..75.0 => Colour::Yellow,
        75.0..170.0 => Colour::Green,
        170.0..245.0 => Colour::Blue,
        245.0..300.0 => Colour::Purple,
        300.0..350.0 => Colour::Pink,
        _ => Colour::Red,
    })
}

/// In the box of each thing, of the pixels that the things changed, those of its colour are the most: in nearly all, since
/// leaves stay green and flames yellow.
#[test]
fn boxes_show_the_colour_they_are_said_to() {
    let size = 128;
    let (mut seen, mut wrong) = (0, Vec::new());
    for index in 0..400 {
        let mut scene = Scene::new(29, index, Pairs::Usual);
        let record = scene.clone();
        let with = render(&scene, size).unwrap();
        scene.items.clear();
        let without = render(&scene, size).unwrap();
        for things in &record.record().things {
            for [left, top, width, height] in &things.boxes {
                let side = size as f32;
                let [x0, y0, x1, y1] =
                    [*left, *top, left + width, top + height].map(|edge| (edge * side).clamp(0.0, side) as usize);
                let mut counts = [0_u32; 10];
                for at in (y0..y1).flat_map(|y| (x0..x1).map(move |x| (y * size as usize + x) * 3)) {
                    let pixel = |picture: &Picture| [0, 1, 2].map(|part| f32::from(picture.rgb[at + part]));
                    let (new, old) = (pixel(&with), pixel(&without));
                    if new.iter().zip(old).map(|(new, old)| (new - old).abs()).sum::<f32>() > 40.0
                        && let Some(colour) = class(new)
                    {
                        counts[colour as usize] += 1;
                    }
                }
                // Wood, stone, snow and glass belong to things of any colour.
                let plain = [Colour::White, Colour::Black, Colour::Brown];
                if !plain.contains(&things.colour) {
                    plain.iter().for_each(|colour| counts[*colour as usize] = 0);
                }
                let most = (0..10).max_by_key(|at| counts[*at]).unwrap();
                seen += 1;
                if most != things.colour as usize {
                    wrong.push(format!("{index} {}: {things:?} {counts:?}", record.caption));
                }
            }
        }
    }
    assert!(seen > 500 && wrong.len() * 50 < seen, "{} of {seen}: {wrong:#?}", wrong.len());
}

/// What the things change lies in their boxes, but for shadows, beams and what carries them.
#[test]
fn things_are_where_their_boxes_are() {
    for (pairs, scenes, least) in [(Pairs::Usual, 200, 100_000), (Pairs::Of(Kind::Windmill), 100, 30_000)] {
        let (size, mut all, mut outside) = (128_usize, 0, 0);
        for index in 0..scenes {
            let mut scene = Scene::new(31, index, pairs);
            if matches!(scene.place, Place::Sea | Place::Space) {
                continue;
            }
            let with = render(&scene, size as u32).unwrap();
            let frames: Vec<_> = scene.items.drain(..).map(|item| item.frame()).collect();
            let without = render(&scene, size as u32).unwrap();
            for at in 0..size * size {
                let [x, y] = [at % size, at / size].map(|pixel| (pixel as f32 + 0.5) / size as f32);
                let change = (0..3).map(|part| with.rgb[at * 3 + part].abs_diff(without.rgb[at * 3 + part]) as u32);
                if change.sum::<u32>() > 120 {
                    let inside = |[left, top, width, height]: &[f32; 4]| {
                        (left - 0.03..left + width + 0.03).contains(&x)
                            && (top - 0.03..top + height + 0.03).contains(&y)
                    };
                    all += 1;
                    outside += u32::from(!frames.iter().any(inside));
                }
            }
        }
        assert!(all > least && outside * 100 < all, "{outside} of {all}");
    }
}
