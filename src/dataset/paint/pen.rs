//! A pen that draws shapes in the light of the scene.

use super::colour::{Ink, Rgb};
use super::path::{parse, rounded};
use tiny_skia::{
    FillRule, GradientStop, LineCap, LineJoin, LinearGradient, Paint, Path, PathBuilder, Pixmap, Point, RadialGradient,
    Rect, Shader, SpreadMode, Stroke, Transform,
};

/// A pen at some place of the picture. Shapes that have no area draw nothing.
pub(in crate::dataset) struct Pen<'a> {
    canvas: &'a mut Pixmap,
    place: Transform,
    /// The light's colour, 1 for white.
    tint: Rgb,
    /// Which side is bright: −1 left, 1 right.
    bright: f32,
}

impl<'a> Pen<'a> {
    /// A pen whose unit is the side of the (square) picture, in white light from the left.
    pub fn new(canvas: &'a mut Pixmap) -> Self {
        let side = canvas.width() as f32;
        Self { canvas, place: Transform::from_scale(side, side), tint: Rgb(1.0, 1.0, 1.0), bright: -1.0 }
    }

    /// The same pen in another light.
    pub fn tinted(&mut self, tint: Rgb) -> Pen<'_> {
        Pen { canvas: self.canvas, place: self.place, tint, bright: self.bright }
    }

    /// The same pen with the light from the left (below 0) or the right.
    pub fn lit_from(&mut self, side: f32) -> Pen<'_> {
        Pen { canvas: self.canvas, place: self.place, tint: self.tint, bright: if side < 0.0 { -1.0 } else { 1.0 } }
    }

    /// A pen in coordinates of its own; the light stays where it is when they are mirrored.
    pub fn at(&mut self, place: Transform) -> Pen<'_> {
        let bright = if place.sx < 0.0 { -self.bright } else { self.bright };
        Pen { canvas: self.canvas, place: self.place.pre_concat(place), tint: self.tint, bright }
    }

    /// Which side is bright in this pen's coordinates: −1 left, 1 right.
    pub fn bright(&self) -> f32 {
        self.bright
    }

    /// This colour in the light of the scene.
    pub fn lit(&self, colour: Rgb) -> Rgb {
        colour.under(self.tint)
    }

    /// Fills the path of these data.
    pub fn fill(&mut self, data: &str, ink: impl Into<Ink>) {
        let path = parse(data);
        debug_assert!(path.is_some(), "{data:?} is no path");
        self.put(path, ink.into());
    }

    /// Draws along the path of these data, with round ends.
    pub fn stroke(&mut self, data: &str, colour: Rgb, width: f32) {
        self.faint_stroke(data, colour, width, 1.0);
    }

    pub fn faint_stroke(&mut self, data: &str, colour: Rgb, width: f32, alpha: f32) {
        let path = parse(data);
        debug_assert!(path.is_some(), "{data:?} is no path");
        if let Some(path) = path {
            self.line(&path, self.lit(colour), width, alpha);
        }
    }

    pub fn oval(&mut self, x: f32, y: f32, rx: f32, ry: f32, ink: impl Into<Ink>) {
        let frame = Rect::from_xywh(x - rx, y - ry, 2.0 * rx, 2.0 * ry);
        self.put(frame.and_then(PathBuilder::from_oval), ink.into());
    }

    /// A rectangle by its left, top, width and height.
    pub fn rect(&mut self, frame: [f32; 4], ink: impl Into<Ink>) {
        self.round_rect(frame, 0.0, ink);
    }

    pub fn round_rect(&mut self, frame: [f32; 4], radius: f32, ink: impl Into<Ink>) {
        self.put(rounded(frame, radius), ink.into());
    }

    /// Light that fades out towards `radius`. It is light itself, so the scene's does not tint it.
    pub fn glow(&mut self, x: f32, y: f32, radius: f32, colour: Rgb, alpha: f32) {
        self.fade(x, y, radius, &[(0.0, alpha), (0.45, alpha * 0.35), (1.0, 0.0)], colour);
    }

    /// A disc whose opacity at each share of the radius is given.
    pub fn fade(&mut self, x: f32, y: f32, radius: f32, stops: &[(f32, f32)], colour: Rgb) {
        let stops = stops.iter().map(|&(at, alpha)| GradientStop::new(at, colour.opaque(alpha))).collect();
        let middle = Point::from_xy(x, y);
        let shader = RadialGradient::new(middle, 0.0, middle, radius, stops, SpreadMode::Pad, Transform::identity());
        if let (Some(shader), Some(path)) = (shader, PathBuilder::from_circle(x, y, radius)) {
            self.paint(&path, shader);
        }
    }

    /// Fills the whole picture down to `height` with colours from top to bottom, and with the last below.
    pub fn sky(&mut self, colours: &[Rgb], height: f32) {
        let last = (colours.len().max(2) - 1) as f32;
        let stops =
            colours.iter().enumerate().map(|(i, c)| GradientStop::new(i as f32 / last, c.opaque(1.0))).collect();
        let (top, bottom) = (Point::from_xy(0.0, 0.0), Point::from_xy(0.0, height));
        let shader = LinearGradient::new(top, bottom, stops, SpreadMode::Pad, Transform::identity());
        if let (Some(shader), Some(path)) = (shader, rounded([0.0, 0.0, 1.0, 1.0], 0.0)) {
            self.paint(&path, shader);
        }
    }

    fn put(&mut self, path: Option<Path>, ink: Ink) {
        let Some(path) = path else { return };
        let colour = self.lit(ink.colour);
        let shader = self.shader(path.bounds(), ink, colour);
        self.paint(&path, shader);
        if ink.line > 0.0 {
            self.line(&path, colour.dark(0.5), ink.line, ink.alpha);
        }
    }

    /// Downwards from one colour to another, or across from the bright side to the dark one.
    fn shader(&self, frame: Rect, ink: Ink, colour: Rgb) -> Shader<'static> {
        let (left, right) = (frame.left(), frame.right());
        let (colours, from, to) = if let Some(below) = ink.below {
            (vec![colour, self.lit(below)], (left, frame.top()), (left, frame.bottom()))
        } else if ink.shade > 0.0 {
            let (from, to) = if self.bright < 0.0 { (left, right) } else { (right, left) };
            let lower = frame.top() + 0.3 * frame.height();
            let sides = vec![colour.light(ink.shade * 0.8), colour, colour.dark(ink.shade)];
            (sides, (from, frame.top()), (to, lower))
        } else {
            return Shader::SolidColor(colour.opaque(ink.alpha));
        };
        let last = (colours.len() - 1) as f32;
        let stops = colours.iter().enumerate();
        let stops = stops.map(|(i, c)| GradientStop::new(i as f32 / last, c.opaque(ink.alpha))).collect();
        let (from, to) = (Point::from_xy(from.0, from.1), Point::from_xy(to.0, to.1));
        let gradient = LinearGradient::new(from, to, stops, SpreadMode::Pad, Transform::identity());
        // No gradient over no distance.
        gradient.unwrap_or_else(|| Shader::SolidColor(colour.opaque(ink.alpha)))
    }

    fn paint(&mut self, path: &Path, shader: Shader<'_>) {
        let paint = Paint { shader, anti_alias: true, ..Paint::default() };
        self.canvas.fill_path(path, &paint, FillRule::Winding, self.place, None);
    }

    fn line(&mut self, path: &Path, colour: Rgb, width: f32, alpha: f32) {
        let paint = Paint { shader: Shader::SolidColor(colour.opaque(alpha)), anti_alias: true, ..Paint::default() };
        let stroke = Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
        self.canvas.stroke_path(path, &paint, &stroke, self.place, None);
    }
}
