//! Colours as the painter mixes them, and the ink that a shape is filled with.

use crate::dataset::kind::Colour;
use tiny_skia::Color;

/// Red, green and blue from 0 to 255, as light falls on them: not clamped before they are painted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::dataset) struct Rgb(pub f32, pub f32, pub f32);

pub(in crate::dataset) const WHITE: Rgb = Rgb(255.0, 255.0, 255.0);
const SHADOW: Rgb = Rgb(22.0, 18.0, 34.0);

impl Rgb {
    /// Between this colour (0) and another one (1).
    pub fn mix(self, other: Self, share: f32) -> Self {
        let between = |a: f32, b: f32| a + (b - a) * share;
        Self(between(self.0, other.0), between(self.1, other.1), between(self.2, other.2))
    }

    pub fn light(self, share: f32) -> Self {
        self.mix(WHITE, share)
    }

    pub fn dark(self, share: f32) -> Self {
        self.mix(SHADOW, share)
    }

    /// Under a coloured light.
    pub fn under(self, light: Self) -> Self {
        Self(self.0 * light.0, self.1 * light.1, self.2 * light.2)
    }

    /// From 0 to 765.
    pub fn sum(self) -> f32 {
        self.0 + self.1 + self.2
    }

    /// So bright that white next to it would not be seen.
    pub fn is_pale(self) -> bool {
        self.sum() >= 690.0
    }

    pub(super) fn opaque(self, alpha: f32) -> Color {
        let part = |value: f32| (value / 255.0).clamp(0.0, 1.0);
        // Clamped parts are always a colour.
        Color::from_rgba(part(self.0), part(self.1), part(self.2), alpha.clamp(0.0, 1.0)).unwrap_or(Color::TRANSPARENT)
    }

    /// Ink without shading or outline.
    pub const fn flat(self) -> Ink {
        Ink { colour: self, alpha: 1.0, shade: 0.0, line: 0.0, below: None }
    }

    /// The ink of a thing's body: shaded from its bright to its dark side, with an outline.
    pub const fn body(self) -> Ink {
        self.flat().shade(SHADE).line(LINE)
    }

    /// Ink with the outline of a thing.
    pub const fn edged(self) -> Ink {
        self.flat().line(LINE)
    }
}

impl From<Colour> for Rgb {
    fn from(colour: Colour) -> Self {
        match colour {
            Colour::Red => Self(214.0, 56.0, 50.0),
            Colour::Orange => Self(241.0, 136.0, 40.0),
            Colour::Yellow => Self(249.0, 208.0, 56.0),
            Colour::Green => Self(72.0, 162.0, 78.0),
            Colour::Blue => Self(52.0, 116.0, 208.0),
            Colour::Purple => Self(134.0, 80.0, 186.0),
            Colour::Pink => Self(243.0, 138.0, 180.0),
            Colour::White => Self(247.0, 245.0, 240.0),
            Colour::Black => Self(50.0, 48.0, 58.0),
            Colour::Brown => Self(140.0, 92.0, 58.0),
        }
    }
}

/// Width of the outline of a thing of height 1.
pub(in crate::dataset) const LINE: f32 = 0.014;
/// How much darker a thing's dark side is.
pub(in crate::dataset) const SHADE: f32 = 0.26;

/// What a shape is filled with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::dataset) struct Ink {
    pub(super) colour: Rgb,
    pub(super) alpha: f32,
    /// Towards black on the side away from the light, and by less towards white on the other.
    pub(super) shade: f32,
    /// Width of a darker outline.
    pub(super) line: f32,
    /// The colour at the lower end, instead of shading.
    pub(super) below: Option<Rgb>,
}

impl Ink {
    pub const fn alpha(self, alpha: f32) -> Self {
        Self { alpha, ..self }
    }

    pub const fn shade(self, shade: f32) -> Self {
        Self { shade, ..self }
    }

    pub const fn line(self, line: f32) -> Self {
        Self { line, ..self }
    }

    pub const fn below(self, colour: Rgb) -> Self {
        Self { below: Some(colour), ..self }
    }
}

impl From<Rgb> for Ink {
    fn from(colour: Rgb) -> Self {
        colour.flat()
    }
}
