//! The U-Net against diffusers: random small configurations of DeepFloyd IF's kinds, and storybook's three stages.

mod unet;

use burn::tensor::Device;
use unet::{fixture::Fixture, relative_error};

fn check(name: &str) {
    let device = Device::flex();
    let fixture = Fixture::open(name);
    let model = pollster::block_on(async { fixture.model(fixture.shipped().await, &device).await });
    let error = relative_error(&fixture.predict(&model, &device), &fixture.output);
    println!("{name}: relative error {error:.2e}");
    assert!(error <= 1e-3, "{name}: {error}");
}

#[test]
fn first_stage() {
    check("first");
}

#[test]
fn second_stage_that_sees_the_text_alone() {
    check("second");
}

#[test]
fn second_stage_that_sees_itself_too() {
    check("second_self");
}

#[test]
fn every_other_option() {
    check("other");
}

#[test]
fn without_text() {
    check("plain");
}

#[test]
fn storybook_base() {
    check("storybook_0");
}

#[test]
fn storybook_super_resolution_256() {
    check("storybook_1");
}

#[test]
fn storybook_super_resolution_1024() {
    check("storybook_2");
}
