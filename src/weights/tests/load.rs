use super::*;
use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{
    Embedding, EmbeddingConfig, GroupNorm, GroupNormConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig,
};
use burn::tensor::{Device, Tensor};

#[derive(Module, Debug)]
struct Inner {
    conv: Conv2d,
    norm: GroupNorm,
}

#[derive(Module, Debug)]
enum Kind {
    Linear(Linear),
}

#[derive(Module, Debug)]
struct Network {
    blocks: Vec<Inner>,
    proj: Linear,
    kind: Kind,
    norm: LayerNorm,
    table: Embedding,
    scale: Param<Tensor<2>>,
    absent: Option<Linear>,
}

impl Network {
    fn new(device: &Device) -> Self {
        let inner = || Inner {
            conv: Conv2dConfig::new([2, 4], [3, 3]).init(device),
            norm: GroupNormConfig::new(2, 4).init(device),
        };
        // Proves that the random values are not computed.
        let scale = Param::uninitialized(
            burn::module::ParamId::new(),
            |_, _| panic!("initialised although it is loaded"),
            device.clone(),
            true,
            [1, 6].into(),
        );
        Self {
            blocks: vec![inner(), inner()],
            proj: LinearConfig::new(40, 3).init(device),
            kind: Kind::Linear(LinearConfig::new(3, 3).with_bias(false).init(device)),
            norm: LayerNormConfig::new(5).init(device),
            table: EmbeddingConfig::new(7, 6).init(device),
            scale,
            absent: None,
        }
    }
}

fn ramp(count: usize, start: f32) -> Vec<f32> {
    (0..count).map(|i| start + i as f32).collect()
}

/// Names and shapes as the file has them.
fn tensors() -> Vec<(&'static str, Vec<usize>)> {
    vec![
        ("blocks.0.conv.weight", vec![4, 18]),
        ("blocks.0.conv.bias", vec![4]),
        ("blocks.0.norm.weight", vec![4]),
        ("blocks.0.norm.bias", vec![4]),
        ("blocks.1.conv.weight", vec![4, 18]),
        ("blocks.1.conv.bias", vec![4]),
        ("blocks.1.norm.weight", vec![4]),
        ("blocks.1.norm.bias", vec![4]),
        ("unused.weight", vec![2, 2]),
        ("proj.weight", vec![3, 40]),
        ("proj.bias", vec![3]),
        ("kind.weight", vec![3, 3]),
        ("norm.weight", vec![5]),
        ("norm.bias", vec![5]),
        ("embed.weight", vec![7, 6]),
        ("scale", vec![1, 6]),
    ]
}

fn weights(tensors: &[(&str, Vec<usize>)]) -> Weights {
    let values: Vec<_> =
        tensors.iter().enumerate().map(|(i, (_, s))| ramp(s.iter().product(), i as f32 * 1e3)).collect();
    let list: Vec<_> = tensors.iter().zip(&values).map(|((n, s), v)| (*n, s.as_slice(), v.as_slice())).collect();
    open(&file(&list)).unwrap()
}

fn rename(path: &str) -> String {
    path.replace("table", "embed")
}

fn load(weights: &mut Weights) -> Result<Network, WeightsError> {
    let device = Device::flex();
    block_on(load_module(Network::new(&device), weights, &rename, &device))
}

fn values<const D: usize>(param: &Param<Tensor<D>>) -> Vec<f32> {
    param.val().into_data().try_to_vec().unwrap()
}

#[test]
fn parameters_are_found_by_their_paths() {
    let network = load(&mut weights(&tensors())).unwrap();
    assert_eq!(values(network.blocks[1].norm.gamma.as_ref().unwrap()), ramp(4, 6e3));
    assert_eq!(values(network.blocks[1].norm.beta.as_ref().unwrap()), ramp(4, 7e3));
    assert_eq!(values(network.blocks[0].conv.bias.as_ref().unwrap()), ramp(4, 1e3));
    assert_eq!(values(network.proj.bias.as_ref().unwrap()), ramp(3, 10e3));
    assert_eq!(values(&network.norm.gamma), ramp(5, 12e3));
    assert_eq!(values(&network.table.weight), ramp(42, 14e3));
    assert_eq!(values(&network.scale), ramp(6, 15e3));
}

#[test]
fn linear_weights_are_transposed() {
    let network = load(&mut weights(&tensors())).unwrap();
    let weight = values(&network.proj.weight);
    for input in 0..40 {
        for output in 0..3 {
            assert_eq!(weight[input * 3 + output], 9e3 + (output * 40 + input) as f32);
        }
    }
    let Kind::Linear(square) = &network.kind;
    assert_eq!(values(&square.weight)[1], 11e3 + 3.0);
}

#[test]
fn convolution_rows_have_the_input_channel_fastest() {
    let network = load(&mut weights(&tensors())).unwrap();
    let weight = values(&network.blocks[1].conv.weight);
    for output in 0..4 {
        for input in 0..2 {
            for at in 0..9 {
                let stored = 4e3 + (output * 18 + at * 2 + input) as f32;
                assert_eq!(weight[(output * 2 + input) * 9 + at], stored);
            }
        }
    }
}

#[test]
fn transposing_in_pieces_is_transposing() {
    // Rows of 400 kB come in two pieces, and neither side is a multiple of the tile.
    let (outputs, inputs) = (45, 100_001);
    let bytes = file(&[("weight", &[outputs, inputs], &ramp(outputs * inputs, 0.0))]);
    let device = Device::flex();
    let linear = LinearConfig::new(inputs, outputs).with_bias(false).init(&device);
    let linear = block_on(load_module(linear, &mut open(&bytes).unwrap(), &str::to_owned, &device)).unwrap();
    let weight = values(&linear.weight);
    assert!((0..outputs * inputs).all(|i| weight[i] == ((i % outputs) * inputs + i / outputs) as f32));
}

#[test]
fn every_format_is_loaded() {
    let (outputs, inputs) = (3, 512);
    let device = Device::flex();
    for format in BlockFormat::ALL {
        let exact: Vec<f32> = (0..outputs * inputs).map(|i| (i as f32 * 0.7).sin()).collect();
        let mut writer = GgufWriter::new("test.gguf", Metadata::new("test"));
        writer.declare("weight", &[outputs, inputs], format).unwrap();
        let mut body = writer.begin(Vec::new()).unwrap();
        body.rows(&exact).unwrap();
        let mut weights = open(&body.finish().unwrap()).unwrap();
        let linear = LinearConfig::new(inputs, outputs).with_bias(false).init(&device);
        let linear = block_on(load_module(linear, &mut weights, &str::to_owned, &device)).unwrap();
        let loaded = values(&linear.weight);
        for (i, exact) in exact.iter().enumerate() {
            let value = loaded[i % inputs * outputs + i / inputs];
            assert!((value - exact).abs() < 0.14, "{format}: {value} for {exact}");
        }
    }
}

#[test]
fn what_is_wanted_is_known_beforehand() {
    let wanted = wanted_tensors(&Network::new(&Device::flex()), &rename);
    let mut expected: std::collections::BTreeMap<_, _> =
        tensors().into_iter().map(|(name, shape)| (name.to_owned(), shape)).collect();
    expected.remove("unused.weight");
    let stored = wanted.iter().map(|(name, tensor)| (name.clone(), tensor.stored.clone())).collect();
    assert_eq!(expected, stored);
    assert_eq!(wanted["blocks.0.conv.weight"].shape, [4, 2, 3, 3]);
    assert_eq!(wanted["proj.weight"].shape, [3, 40]);
}

#[test]
fn a_missing_tensor_is_named() {
    let without: Vec<_> = tensors().into_iter().filter(|(name, _)| *name != "embed.weight").collect();
    let error = load(&mut weights(&without)).unwrap_err();
    assert!(matches!(&error, WeightsError::MissingTensor { tensor, .. } if tensor == "embed.weight"), "{error}");
}

#[test]
fn a_misshapen_tensor_is_named() {
    for (name, wrong, right) in [
        ("proj.weight", vec![40, 3], vec![3, 40]),
        ("blocks.1.conv.weight", vec![4, 9, 2], vec![4, 18]),
        ("blocks.0.conv.bias", vec![5], vec![4]),
    ] {
        let mut tensors = tensors();
        tensors.iter_mut().find(|(n, _)| *n == name).unwrap().1 = wrong.clone();
        match load(&mut weights(&tensors)).unwrap_err() {
            WeightsError::Shape { tensor, expected, actual } => {
                assert_eq!((tensor.as_str(), expected, actual), (name, right, wrong));
            }
            error => panic!("{error}"),
        }
    }
}

#[test]
fn a_wrong_hash_leaves_no_module() {
    let mut weights = weights(&tensors());
    weights.expect(weights.size(), &"0".repeat(64));
    assert!(matches!(load(&mut weights), Err(WeightsError::WrongHash { .. })));
}
